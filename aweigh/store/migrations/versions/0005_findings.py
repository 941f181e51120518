"""What a server says is live on it, told to the API for a run of the reconciler

Revision ID: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("servers", sa.Column("findings", sa.Text(), nullable=True))

"""What a server says is live on it, told to the API for a run of the reconciler

Revision ID: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("servers", sa.Column("findings", sa.Text(), nullable=True))

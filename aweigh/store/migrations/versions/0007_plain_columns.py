"""What a lane and the claims need, beside the sealed settings; plainer names

Revision ID: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.alter_column("applications", "branch_look", new_column_name="branch_poll")
    op.alter_column("idempotency", "door", new_column_name="endpoint")
    for table in ("applications", "releases"):
        op.add_column(table, sa.Column("claims", sa.Text(), nullable=True))
    op.add_column(
        "deployments",
        sa.Column("policy", sa.String(255), nullable=False, server_default="supersede"),
    )
    op.add_column("deployments", sa.Column("label", sa.String(300), nullable=True))

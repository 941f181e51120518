"""Deliveries that were handed over lately are found by an index; channels know their target's age

Revision ID: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_deliveries_released_at", "deliveries", ["released_at"])
    op.add_column("channels", sa.Column("retargeted_at", sa.DateTime(timezone=True), nullable=True))

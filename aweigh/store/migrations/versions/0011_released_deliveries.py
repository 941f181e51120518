"""Deliveries that were handed over lately are found by an index

Revision ID: 0011
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_deliveries_released_at", "deliveries", ["released_at"])

"""Repositories are known by the ids that their hosts give them, also when they are renamed

Revision ID: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("applications", sa.Column("repository_id", sa.String(300), nullable=True))
    op.create_index("ix_applications_repository_id", "applications", ["repository_id"])

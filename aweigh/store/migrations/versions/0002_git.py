"""Releases that are built from a commit

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("applications", sa.Column("webhook_secret", sa.Text(), nullable=True))
    op.add_column("applications", sa.Column("repository", sa.String(length=600), nullable=True))
    op.add_column("applications", sa.Column("newest_push", sa.Text(), nullable=True))
    op.create_index("ix_applications_repository", "applications", ["repository"])
    op.add_column("releases", sa.Column("ref", sa.String(length=255), nullable=True))
    op.add_column("releases", sa.Column("commit", sa.String(length=255), nullable=True))
    op.add_column(
        "releases",
        sa.Column("rebuild", sa.Boolean(), nullable=False, server_default=sa.false()),
    )

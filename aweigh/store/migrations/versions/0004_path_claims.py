"""Path prefixes without a slash at their end: `/api` and `/api/` are one claim

Revision ID: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_CLAIMS = sa.table(
    "domain_claims", sa.column("server"), sa.column("host"), sa.column("path"),
    sa.column("application_id"),
)  # fmt: skip


def upgrade() -> None:
    connection = op.get_bind()
    rows = connection.execute(sa.select(_CLAIMS).order_by(_CLAIMS.c.path)).all()
    held = {(row.server, row.host, row.path) for row in rows}
    for row in rows:
        path = row.path.rstrip("/") or "/"
        if path == row.path:
            continue
        this = sa.and_(
            _CLAIMS.c.server == row.server, _CLAIMS.c.host == row.host, _CLAIMS.c.path == row.path
        )
        if (row.server, row.host, path) in held:  # the other spelling's holder keeps it
            connection.execute(sa.delete(_CLAIMS).where(this))
            continue
        connection.execute(sa.update(_CLAIMS).where(this).values(path=path))
        held.add((row.server, row.host, path))

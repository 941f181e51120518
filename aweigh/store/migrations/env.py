"""Alembic's entry: runs the migrations on the URL it is handed, with a plain (sync) driver."""

from alembic import context
from sqlalchemy import create_engine, pool

from aweigh.store.tables import Base

SYNC_DRIVERS = {"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+psycopg"}

url = context.config.attributes["url"]
engine = create_engine(
    url.set(drivername=SYNC_DRIVERS[url.get_backend_name()]), poolclass=pool.NullPool
)
with engine.begin() as connection:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=True,
        compare_type=True,
    )
    context.run_migrations()
engine.dispose()

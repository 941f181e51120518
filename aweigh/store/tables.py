"""The tables. Values that may hold a secret are sealed by the vault before they are written."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time in both databases; SQLite does not store the time zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is None or value.tzinfo:
            return value
        return value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcDateTime, str: String(255)}  # noqa: RUF012 (SQLAlchemy reads it off the class)


class MetaRow(Base):
    """Facts of the installation itself."""

    __tablename__ = "meta"
    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]


class ApplicationRow(Base):
    __tablename__ = "applications"
    id: Mapped[str] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)  # never reused, not even after the removal
    name: Mapped[str]
    server: Mapped[str]
    settings: Mapped[str] = mapped_column(Text)  # sealed
    #: What they claim on the server, readable without the vault.
    claims: Mapped[str | None] = mapped_column(Text)
    hook: Mapped[str] = mapped_column(unique=True)
    secret: Mapped[str] = mapped_column(Text)  # sealed
    webhook_secret: Mapped[str | None] = mapped_column(Text)  # sealed
    repository: Mapped[str | None] = mapped_column(String(600), index=True)
    #: Its host's own id of the repository, which outlives a rename; from the last signed delivery.
    repository_id: Mapped[str | None] = mapped_column(String(300), index=True)
    newest_push: Mapped[str | None] = mapped_column(Text)
    branch_poll: Mapped[str | None] = mapped_column(Text)
    last_sequence: Mapped[int] = mapped_column(default=0)
    live: Mapped[str | None]
    live_since: Mapped[datetime | None]
    removal_sequence: Mapped[int | None]
    removal_volumes: Mapped[bool] = mapped_column(default=False)
    removal_message: Mapped[str | None] = mapped_column(Text)
    removed_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class DomainClaim(Base):
    """(server, host, path) belongs to one application."""

    __tablename__ = "domain_claims"
    server: Mapped[str] = mapped_column(primary_key=True)
    host: Mapped[str] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(primary_key=True)
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"), index=True)


class PortClaim(Base):
    """(server, protocol, host port) belongs to one application."""

    __tablename__ = "port_claims"
    server: Mapped[str] = mapped_column(primary_key=True)
    protocol: Mapped[str] = mapped_column(primary_key=True)
    port: Mapped[int] = mapped_column(primary_key=True)
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"), index=True)


class ReleaseRow(Base):
    __tablename__ = "releases"
    id: Mapped[str] = mapped_column(primary_key=True)
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"), index=True)
    settings: Mapped[str] = mapped_column(Text)  # sealed
    #: What they claim on the server, readable without the vault.
    claims: Mapped[str | None] = mapped_column(Text)
    image_reference: Mapped[str] = mapped_column(String(600))
    image_id: Mapped[str | None]
    image_digest: Mapped[str | None]
    ref: Mapped[str | None]
    commit: Mapped[str | None]
    commit_subject: Mapped[str | None] = mapped_column(Text)
    rebuild: Mapped[bool] = mapped_column(default=False, server_default=false())
    created_at: Mapped[datetime]


class DeploymentRow(Base):
    __tablename__ = "deployments"
    __table_args__ = (UniqueConstraint("application_id", "sequence"),)
    id: Mapped[str] = mapped_column(primary_key=True)
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"), index=True)
    release_id: Mapped[str] = mapped_column(ForeignKey("releases.id"), index=True)
    server: Mapped[str]
    sequence: Mapped[int]
    state: Mapped[str] = mapped_column(index=True)
    reason: Mapped[str | None]
    message: Mapped[str | None] = mapped_column(Text)
    trigger: Mapped[str]
    actor: Mapped[str]
    tag: Mapped[str | None]
    #: Of the release's settings: what the lane needs, readable without the vault.
    policy: Mapped[str] = mapped_column(server_default="supersede")
    label: Mapped[str | None] = mapped_column(String(300))
    retry_of: Mapped[str | None]
    superseded_by: Mapped[str | None]
    run_id: Mapped[str | None]
    earlier_runs: Mapped[str] = mapped_column(Text, default="")  # one run id a line
    attempts: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class StepRow(Base):
    __tablename__ = "steps"
    deployment_id: Mapped[str] = mapped_column(ForeignKey("deployments.id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    attempts: Mapped[int]
    detail: Mapped[str] = mapped_column(Text)


class LogChunk(Base):
    __tablename__ = "log_chunks"
    deployment_id: Mapped[str] = mapped_column(ForeignKey("deployments.id"), primary_key=True)
    offset: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    data: Mapped[bytes] = mapped_column(LargeBinary)


class EventRow(Base):
    """A change of a deployment's state; written by aweigh/store/events.py alone."""

    __tablename__ = "events"
    # No number is given twice, even after the newest events are removed: readers resume by it.
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 (SQLAlchemy reads it off the class)
    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    kind: Mapped[str]
    application_id: Mapped[str] = mapped_column(index=True)
    deployment_id: Mapped[str] = mapped_column(index=True)
    at: Mapped[datetime]
    #: The deployment after the change, as JSON.
    deployment: Mapped[str] = mapped_column(Text)


class OutboxRow(Base):
    """A hand-over that the relay repeats to Temporal until the row is closed."""

    __tablename__ = "outbox"
    __table_args__ = (UniqueConstraint("kind", "subject"),)
    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    kind: Mapped[str]
    subject: Mapped[str]
    next_at: Mapped[datetime] = mapped_column(index=True)
    attempts: Mapped[int] = mapped_column(default=0)


class ChannelRow(Base):
    __tablename__ = "channels"
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    settings: Mapped[str] = mapped_column(Text)  # sealed
    enabled: Mapped[bool]
    disabled_reason: Mapped[str | None] = mapped_column(Text)
    #: Signs what webhooks receive; the old one too, until then.
    secret: Mapped[str | None] = mapped_column(Text)  # sealed
    old_secret: Mapped[str | None] = mapped_column(Text)  # sealed
    old_secret_until: Mapped[datetime | None]
    #: The newest event when it was enabled: it wants later ones.
    since_event: Mapped[int] = mapped_column(BigInteger)
    last_delivery: Mapped[str | None] = mapped_column(Text)  # JSON
    last_success_at: Mapped[datetime | None]
    #: Of the attempts since the last success.
    failing_since: Mapped[datetime | None]
    #: Deliveries that were given up since the last success.
    given_up: Mapped[int] = mapped_column(default=0)
    #: It asked for this pause (`Retry-After`): nothing more is handed over before.
    paused_until: Mapped[datetime | None]
    #: When its target was last changed: what came of earlier attempts says nothing about this one.
    retargeted_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class DeliveryRow(Base):
    """A notification for one channel; it goes with its channel and its event."""

    __tablename__ = "deliveries"
    __table_args__ = (
        Index("ix_deliveries_released", "channel_id", "state", "event_id"),
        Index("ix_deliveries_listed", "channel_id", "id"),
    )
    id: Mapped[str] = mapped_column(primary_key=True)
    channel_id: Mapped[str] = mapped_column(ForeignKey("channels.id", ondelete="CASCADE"))
    #: None for a notice about the channel itself.
    event_id: Mapped[int | None] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"),
        ForeignKey("events.id", ondelete="CASCADE"),
        index=True,
    )
    deployment_id: Mapped[str | None] = mapped_column(index=True)
    kind: Mapped[str]
    #: Of a notice, as JSON.
    content: Mapped[str | None] = mapped_column(Text)
    message_id: Mapped[str]
    state: Mapped[str]
    attempts: Mapped[int] = mapped_column(default=0)
    #: When its hand-over to Temporal was requested: it is attempted for a day from then on.
    released_at: Mapped[datetime | None] = mapped_column(index=True)
    status: Mapped[int | None]
    message: Mapped[str | None] = mapped_column(Text)
    response: Mapped[str | None] = mapped_column(Text)
    duration_ms: Mapped[int | None]
    created_at: Mapped[datetime]
    last_attempt_at: Mapped[datetime | None]
    next_attempt_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class IdempotencyRow(Base):
    __tablename__ = "idempotency"
    application_id: Mapped[str] = mapped_column(primary_key=True)
    endpoint: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    body_hash: Mapped[str]
    deployment_id: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(index=True)


class TokenRow(Base):
    __tablename__ = "tokens"
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    hash: Mapped[str] = mapped_column(unique=True)
    scope: Mapped[str]
    server: Mapped[str | None]
    created_at: Mapped[datetime]


class ServerRow(Base):
    __tablename__ = "servers"
    name: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(unique=True)
    identity: Mapped[str | None]
    boot: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    worker_version: Mapped[str | None]
    engine_version: Mapped[str | None]
    findings: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]


#: The columns whose values are sealed with the installation's keys.
SEALED_COLUMNS = (
    ApplicationRow.settings, ApplicationRow.secret, ApplicationRow.webhook_secret,
    ReleaseRow.settings, ChannelRow.settings, ChannelRow.secret, ChannelRow.old_secret,
)  # fmt: skip

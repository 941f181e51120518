"""Admission: everything that is written before a deployment's workflow starts."""

from dataclasses import dataclass

from sqlalchemy import select

from aweigh.core.errors import Conflict, Invalid
from aweigh.core.ids import new_id
from aweigh.deployments.application import ApplicationSettings
from aweigh.deployments.deployment import OPEN, DeploymentState, EventKind, Trigger
from aweigh.deployments.hidden_values import hidden_values
from aweigh.deployments.release import Image, label_of
from aweigh.deployments.repository import is_commit, is_ref
from aweigh.deployments.source import GitSource, ImageSource, PullPolicy
from aweigh.secrets.value import mask_words
from aweigh.store import (
    applications,
    claims,
    deployments,
    events,
    idempotency,
    outbox,
    releases,
)
from aweigh.store.applications import Application
from aweigh.store.database import Transaction
from aweigh.store.deployments import Deployment
from aweigh.store.idempotency import Key
from aweigh.store.tables import DeploymentRow, ReleaseRow


@dataclass(frozen=True, kw_only=True)
class Order:
    """A request for a deployment: who, why, and of what."""

    trigger: Trigger
    actor: str
    tag: str | None = None
    commit: str | None = None
    #: The first line of the commit's message, where the caller knows it.
    commit_subject: str | None = None
    rebuild: bool = False
    retry_of: str | None = None


async def admit(tx: Transaction, application: Application, order: Order) -> Deployment:
    """Admit a deployment of the current settings.

    Without a tag, the live image is deployed again, by content; with `pull: always`, whose tag may
    move, it is resolved anew.

    Raises:
        Conflict: the application is being removed.
        Invalid: the tag is not a tag or digest.
    """
    settings = application.settings
    if isinstance(settings.source, GitSource):
        return await _admit_build(tx, application, settings.source, order)
    return await _admit_image(tx, application, settings.source, order)


async def _admit_image(
    tx: Transaction, application: Application, source: ImageSource, order: Order
) -> Deployment:
    settings = application.settings
    if order.commit or order.rebuild:
        raise Invalid("commit" if order.commit else "rebuild", "applies to git applications only")
    if order.tag is not None:
        try:
            source = source.with_tag(order.tag)
        except ValueError as error:
            raise Invalid("tag", "is not an image tag or digest") from error
        settings = settings.model_copy(update={"source": source})
    image = Image(reference=str(source.reference))
    if order.tag is None and source.pull is not PullPolicy.ALWAYS:
        live = await deployments.live_image(tx, application.row)
        image = live if live and live.reference == image.reference else image
    release = releases.new(tx, application.row, settings, image)
    await tx.insert(release)
    return await _new_deployment(tx, application, release, settings, order)


async def _admit_build(
    tx: Transaction, application: Application, source: GitSource, order: Order
) -> Deployment:
    """Admit a deployment of a commit, or of a branch or tag, which is resolved when it is fetched.

    Raises:
        Conflict: the application is being removed.
        Invalid: the tag or the commit is invalid.
    """
    if order.tag is not None and not is_ref(order.tag):
        raise Invalid("tag", "is not a git tag, branch or commit")
    if order.commit is not None and not is_commit(order.commit):
        raise Invalid("commit", "is not a full commit id (40 or 64 hexadecimal digits)")
    asked = order.tag or order.commit  # None: the branch's head when it is built
    image = Image(reference=f"{source.repository}#{asked or source.branch}")
    release = releases.new(tx, application.row, application.settings, image)
    release.commit = order.commit or (asked if asked and is_commit(asked) else None)
    if order.commit_subject:
        hidden = hidden_values(application.settings)
        release.commit_subject = mask_words(order.commit_subject, hidden)
    elif release.commit:
        release.commit_subject = await releases.known_subject(tx, release)
    # A pushed commit is built as it is, wherever the branch or the tag moves.
    pushed = order.trigger in (Trigger.PUSH, Trigger.TAG, Trigger.POLL)
    release.ref, release.rebuild = None if pushed else asked, order.rebuild
    await tx.insert(release)
    return await _new_deployment(tx, application, release, application.settings, order)


async def admit_once(
    tx: Transaction, application: Application, order: Order, key: Key | None
) -> Deployment:
    """Admit a deployment, or return the one that an earlier call with this key made.

    Raises:
        Conflict: the application is being removed.
        Invalid: the tag is invalid, or the key was used with another body.
    """
    return await idempotency.once(
        tx, application.row.id, key, lambda: admit(tx, application, order)
    )


async def admit_again(
    tx: Transaction, application: Application, earlier: DeploymentRow, order: Order
) -> Deployment:
    """Admit a deployment of an earlier release: a retry or a rollback; nothing is rebuilt.

    Raises:
        Conflict: the application is being removed, another one holds a domain or a host port
            that the release needs, or the release has a capability that was withdrawn since.
    """
    release = await tx.session.get_one(ReleaseRow, earlier.release_id)
    settings = releases.settings_of(tx, release)
    _refuse_withdrawn(application, settings)
    await claims.take(tx, application.row, settings)
    return await _new_deployment(tx, application, release, settings, order)


def _refuse_withdrawn(application: Application, settings: ApplicationSettings) -> None:
    """Only `admin` grants capabilities: an old release must not bring one back."""
    withdrawn = set(settings.capabilities) - set(application.settings.capabilities)
    if withdrawn:
        raise Conflict(
            f"the release needs {', '.join(sorted(withdrawn))}, which {application.row.slug} no "
            "longer has; add it to `capabilities` again, or deploy another release"
        )


async def find_duplicate(
    tx: Transaction, application: Application, order: Order
) -> Deployment | None:
    """Return the newest deployment if it is open and answers the same order: a double click."""
    query = select(DeploymentRow).where(
        DeploymentRow.application_id == application.row.id,
        DeploymentRow.sequence == application.row.last_sequence,
        DeploymentRow.trigger == order.trigger,
        DeploymentRow.retry_of == order.retry_of,
        DeploymentRow.state.in_(OPEN),
    )
    row = await tx.session.scalar(query)
    return await deployments.whole(tx, row) if row else None


async def lift_sequence(tx: Transaction, row: DeploymentRow, highest: int) -> Deployment | None:
    """Continue from a server's highest sequence, and admit the same release again.

    None if there is a newer deployment than the refused one, or a removal: that one wins.
    """
    application = await applications.find(tx, row.application_id, lock=True)
    if application.removing or row.sequence < application.row.last_sequence:
        return None
    application.row.last_sequence = max(row.sequence, highest)
    order = Order(trigger=Trigger.RETRY, actor=row.actor, retry_of=row.id, tag=row.tag)
    return await admit_again(tx, application, row, order)


async def _new_deployment(
    tx: Transaction,
    application: Application,
    release: ReleaseRow,
    settings: ApplicationSettings,
    order: Order,
) -> Deployment:
    row = application.row
    if application.removing:
        raise Conflict(f"{row.slug} cannot be deployed: it is being removed")
    sequence = await applications.next_sequence(tx, row)
    deployment = DeploymentRow(
        id=new_id("dep"), application_id=row.id, release_id=release.id, server=row.server,
        sequence=sequence, state=DeploymentState.CREATED, trigger=order.trigger,
        actor=order.actor, tag=order.tag, retry_of=order.retry_of, attempts=0, created_at=tx.now,
        policy=settings.policy,
        label=label_of(settings.source, release.image_reference, release.ref, release.commit),
    )  # fmt: skip
    await tx.insert(deployment)
    image, commit = releases.image_of(release), releases.commit_of(release)
    events.add(tx, EventKind.CREATED, deployment, image, commit)
    await tx.insert(outbox.new(tx, outbox.DEPLOY, deployment.id))
    return Deployment(
        row=deployment, application=row, image=image, commit=commit,
        steps=(),
    )  # fmt: skip

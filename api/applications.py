"""Applications: created, read, changed, removed."""

import asyncio
import json
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query

from api.dependencies import Admin, AppContext, Context, Cursor, Deployer, Reader
from api.idempotency import KeyHeader, key_of
from api.schemas import (
    LiveAnswer,
    NewApplication,
    NewDeployment,
    application_answer,
    row_answer,
)
from api.wait import Wait, answer_to
from aweigh.core.errors import Invalid, NotFound
from aweigh.deployments.application import ApplicationSettings
from aweigh.deployments.deployment import Trigger
from aweigh.deployments.merge import merged
from aweigh.deployments.release import Image
from aweigh.deployments.repository import AppInstallation
from aweigh.deployments.source import GitSource
from aweigh.secrets.value import REVEAL
from aweigh.store import admission, applications, deployments, idempotency, removals, servers
from aweigh.store.admission import Order
from aweigh.store.applications import Application
from aweigh.store.database import Transaction
from aweigh.store.deployments import Deployment
from aweigh.store.idempotency import Key
from aweigh.store.tables import ApplicationRow

router = APIRouter(prefix="/v1/applications", tags=["applications"])

#: Settings that can be read and replaced by themselves.
PARTS = ("env", "labels", "volumes", "ports", "domains")


async def _shown(tx: Transaction, application: Application) -> dict[str, Any]:
    return _answer(application, await deployments.live_images(tx, [application.row]))


def _answer(application: Application, images: Mapping[str, Image]) -> dict[str, Any]:
    row = application.row
    live = None
    if row.live and (image := images.get(row.live)):
        live = LiveAnswer(deployment=row.live, image=image, since=row.live_since)
    return application_answer(application, live)


def _credentials(tx: Transaction, row: ApplicationRow) -> dict[str, str | None]:
    return {
        "deploy_hook": row.hook,
        "deploy_secret": applications.secret_of(tx, row),
        "webhook_secret": applications.webhook_secret_of(tx, row),
    }


def _refuse_unknown_app(context: AppContext, settings: ApplicationSettings) -> None:
    """Raises: Invalid: this installation's GitHub App could not read the repository."""
    source = settings.source
    if not (isinstance(source, GitSource) and isinstance(source.credentials, AppInstallation)):
        return
    if context.github.app is None:
        raise Invalid(
            "source.credentials.type",
            "this installation has no GitHub App: set AWEIGH_GITHUB_APP_ID and "
            "AWEIGH_GITHUB_APP_KEY_FILE, or give a token",
        )
    if not context.github.is_home_of(source.repository):
        raise Invalid("source.repository", "is not on the GitHub host of this installation's App")


@router.get("")
async def list_applications(
    context: Context,
    _: Reader,
    after: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> dict[str, Any]:
    """`unreadable` lists the applications whose settings cannot be read; they can be removed."""
    async with context.store.read() as tx:
        rows = await applications.page(tx, after=after, limit=limit)
        images = await deployments.live_images(tx, rows)
    # In a thread: to open and show the settings of a hundred applications may take seconds.
    items = await asyncio.get_running_loop().run_in_executor(
        context.lists,
        lambda: [_answer(one, images) for one in applications.readable(tx, rows)],
    )
    shown = {one["id"] for one in items}
    unreadable = [row_answer(row) for row in rows if row.id not in shown]
    following = rows[-1].id if len(rows) == limit else None
    return {"items": items, "next": following, "unreadable": unreadable}


@router.post("", status_code=201)
async def create_application(context: Context, _: Admin, new: NewApplication) -> dict[str, Any]:
    _refuse_unknown_app(context, new)
    async with context.store.write(urgent=True) as tx:
        await servers.check_exists(tx, new.server)
        made = await applications.create(
            tx,
            name=new.name,
            server=new.server,
            settings=new.settings(),
            slug=new.slug or "",
        )
        return await _shown(tx, made) | _credentials(tx, made.row)


@router.get("/{application}")
async def read_application(context: Context, _: Reader, application: str) -> dict[str, Any]:
    async with context.store.read() as tx:
        return await _shown(tx, await applications.find(tx, application))


@router.patch("/{application}")
async def change_application(
    context: Context,
    bearer: Admin,
    application: str,
    change: Annotated[dict[str, Any], Body()],
    idempotency_key: KeyHeader = None,
) -> dict[str, Any]:
    """A JSON merge patch (RFC 7396) of the settings.

    `"deploy": true` deploys them at once; the answer's `deployment` is the new deployment's id.
    """
    deploy = change.pop("deploy", False)
    if not isinstance(deploy, bool):
        raise Invalid("deploy", "is neither true nor false")
    made: dict[str, Any] = {}
    async with context.store.write(urgent=True) as tx:
        found = await applications.find(tx, application, lock=True)
        if deploy:
            key = _change_key(tx, found, idempotency_key, change)
            order = Order(trigger=Trigger.MANUAL, actor=bearer.name)
            admitted = await idempotency.once(
                tx, found.row.id, key, lambda: _change_and_deploy(context, tx, found, change, order)
            )
            made["deployment"] = admitted.id
        else:
            await _change(context, tx, found, change)
        shown = await _shown(tx, await applications.find(tx, application))
    context.relay.wake()
    return shown | made


def _change_key(
    tx: Transaction, application: Application, value: str | None, change: dict[str, Any]
) -> Key | None:
    """Salt the hash with the application's secret: it must not reveal secrets in the change."""
    salt = applications.secret_of(tx, application.row)
    return key_of("change", value, salt=salt, change=json.dumps(change, sort_keys=True))


async def _change(
    context: AppContext, tx: Transaction, found: Application, change: dict[str, Any]
) -> Application:
    changed = Application(row=found.row, settings=merged(found.settings, change))
    _refuse_unknown_app(context, changed.settings)
    await applications.change(tx, changed, changed.settings)
    return changed


async def _change_and_deploy(
    context: AppContext, tx: Transaction, found: Application, change: dict[str, Any], order: Order
) -> Deployment:
    return await admission.admit(tx, await _change(context, tx, found, change), order)


@router.delete("/{application}", status_code=202)
async def remove_application(
    context: Context, _: Admin, application: str, volumes: bool = False
) -> dict[str, Any]:
    """Remove it from its server, through its lane; with `volumes`, with its data."""
    async with context.store.write(urgent=True) as tx:
        row = await applications.find_row(tx, application, lock=True)
        await removals.request(tx, row, volumes=volumes)
        found = applications.readable(tx, [row])
        shown = await _shown(tx, found[0]) if found else row_answer(row)
    context.relay.wake()
    return shown


@router.get("/{application}/settings")
async def read_credentials(context: Context, _: Admin, application: str) -> dict[str, str | None]:
    async with context.store.read() as tx:
        return _credentials(tx, await applications.find_row(tx, application))


@router.post("/{application}/settings/rotate")
async def rotate_credentials(context: Context, _: Admin, application: str) -> dict[str, str | None]:
    """Replace deploy hook and secrets; the old ones stop working at once."""
    async with context.store.write(urgent=True) as tx:
        row = await applications.find_row(tx, application, lock=True)
        applications.rotate_secret(tx, row)
        return _credentials(tx, row)


@router.get("/{application}/env")
async def read_env(context: Context, _: Admin, application: str) -> dict[str, str | dict[str, Any]]:
    """Return the variables as given: the only answer with the values of secret ones."""
    async with context.store.read() as tx:
        found = await applications.find(tx, application)
    return dict(found.settings.model_dump(mode="json", context=REVEAL, include={"env"})["env"])


@router.get("/{application}/{part}")
async def read_part(context: Context, _: Reader, application: str, part: str) -> Any:
    if part not in PARTS:
        raise NotFound(f"an application has no {part!r}")
    async with context.store.read() as tx:
        found = await applications.find(tx, application)
    return found.settings.model_dump(mode="json")[part]


@router.put("/{application}/{part}")
async def replace_part(
    context: Context, _: Admin, application: str, part: str, value: Annotated[Any, Body()]
) -> dict[str, Any]:
    if part not in PARTS:
        raise NotFound(f"an application has no {part!r}")
    async with context.store.write(urgent=True) as tx:
        found = await applications.find(tx, application, lock=True)
        known = found.settings.model_dump(mode="json", context=REVEAL)
        settings = ApplicationSettings.model_validate(known | {part: value})
        await applications.change(tx, found, settings)
        return await _shown(tx, Application(row=found.row, settings=settings))


@router.post("/{application}/deployments", status_code=202)
async def deploy(
    context: Context,
    bearer: Deployer,
    application: str,
    asked: NewDeployment | None = None,
    idempotency_key: KeyHeader = None,
    wait: Wait = 0,
) -> Any:
    asked = asked or NewDeployment()
    key = key_of("deployments", idempotency_key, **asked.model_dump(exclude_defaults=True))
    order = Order(trigger=Trigger.MANUAL, actor=bearer.name, **asked.model_dump())

    async def admit(tx: Transaction) -> Deployment:
        found = await applications.find(tx, application, lock=True)
        return await admission.admit_once(tx, found, order, key)

    admitted = await context.store.admit(admit)
    context.relay.wake()
    return await answer_to(context, admitted, wait)

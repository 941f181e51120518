"""Releases: an image pinned by content, and a snapshot of the settings that it runs with."""

from typing import Final

from pydantic import ValidationError
from sqlalchemy import select

from aweigh.core.errors import Unreadable
from aweigh.core.ids import new_id
from aweigh.core.model import place_of
from aweigh.deployments.application import ApplicationSettings
from aweigh.deployments.release import Commit, Image
from aweigh.secrets.value import REVEAL
from aweigh.secrets.vault import SealOwner
from aweigh.store import claims
from aweigh.store.database import Transaction
from aweigh.store.tables import ApplicationRow, ReleaseRow

_SETTINGS: Final = "releases.settings"


def settings_text(settings: ApplicationSettings) -> str:
    return settings.model_dump_json(context=REVEAL)


def new(
    tx: Transaction, row: ApplicationRow, settings: ApplicationSettings, image: Image
) -> ReleaseRow:
    """Return a new release, not written yet."""
    release_id = new_id("rel")
    sealed = tx.vault.seal(SealOwner(kind=_SETTINGS, id=release_id), settings_text(settings))
    return ReleaseRow(
        id=release_id, application_id=row.id, settings=sealed, claims=claims.text_of(settings),
        created_at=tx.now,
        image_reference=image.reference, image_id=image.id, image_digest=image.digest,
    )  # fmt: skip


def reseal(tx: Transaction, release: ReleaseRow) -> None:
    """Seal its settings again, with the current key."""
    owner = SealOwner(kind=_SETTINGS, id=release.id)
    release.settings = tx.vault.seal(owner, tx.vault.open(owner, release.settings))


def image_of(release: ReleaseRow) -> Image:
    return Image(
        reference=release.image_reference, id=release.image_id, digest=release.image_digest
    )


def commit_of(release: ReleaseRow) -> Commit | None:
    if release.commit is None:
        return None
    return Commit(id=release.commit, subject=release.commit_subject)


async def known_subject(tx: Transaction, release: ReleaseRow) -> str | None:
    """Return the subject of the release's commit if another release of the application has it."""
    return await tx.session.scalar(
        select(ReleaseRow.commit_subject)
        .where(
            ReleaseRow.application_id == release.application_id,
            ReleaseRow.commit == release.commit,
            ReleaseRow.commit_subject.is_not(None),
        )
        .limit(1)
    )


def settings_of(tx: Transaction, release: ReleaseRow) -> ApplicationSettings:
    """Raises: Unreadable."""
    text = tx.vault.open(SealOwner(kind=_SETTINGS, id=release.id), release.settings)
    return settings_in(text, f"release {release.id}")


def settings_in(text: str, owner: str) -> ApplicationSettings:
    """Parse stored settings.

    Raises:
        Unreadable: they are invalid; the message names their owner and none of their values.
    """
    try:
        return ApplicationSettings.model_validate_json(text)
    except ValidationError as error:
        places = ", ".join(sorted({place_of(one["loc"]) for one in error.errors()}))
        raise Unreadable(f"the stored settings of {owner} are invalid: {places}") from None

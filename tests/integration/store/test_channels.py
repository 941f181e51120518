"""Channels: their secrets and targets, sealed, and their names."""

from dataclasses import replace
from datetime import timedelta

import pytest

from aweigh.core.errors import Conflict
from aweigh.store import channels
from aweigh.store.database import Store
from tests.support.channels import (
    EMAIL,
    channel_of,
    channel_row,
    new_channel,
)


@pytest.fixture
async def channel(store: Store) -> str:
    return await new_channel(store)


async def test_two_secrets_sign_for_a_day_after_a_rotation(store: Store, channel: str) -> None:
    async with store.write() as tx:
        row = await channels.find_row(tx, channel, lock=True)
        [old] = channels.signing_secrets(tx, row)
        channels.rotate_secret(tx, row)
        new, still = channels.signing_secrets(tx, row)
        assert still == old != new
        channels.reseal(tx, row)
        assert channels.signing_secrets(tx, row) == (new, old)

        later = replace(tx, now=tx.now + timedelta(hours=24))
        assert channels.signing_secrets(later, row) == (new,)


async def test_the_secret_that_the_receiver_knows_outlives_a_repeated_rotation(
    store: Store, channel: str
) -> None:
    given = "whsec_" + "QUJD" * 8
    async with store.write() as tx:
        row = await channels.find_row(tx, channel, lock=True)
        [old] = channels.signing_secrets(tx, row)
        channels.rotate_secret(tx, row)
        until = row.old_secret_until
        for _ in range(2):
            await channels.change(tx, row, channel_of(secret=given))

        assert channels.signing_secrets(tx, row) == (given, old)
        assert row.old_secret_until == until


async def test_the_old_secret_signs_beside_a_given_one(store: Store, channel: str) -> None:
    given = "whsec_" + "QUJD" * 8
    async with store.write() as tx:
        row = await channels.find_row(tx, channel, lock=True)
        [old] = channels.signing_secrets(tx, row)
        for _ in range(2):
            await channels.change(tx, row, channel_of(secret=given))

        assert channels.signing_secrets(tx, row) == (given, old)


async def test_only_webhooks_have_a_secret(store: Store) -> None:
    mail = await new_channel(store, **EMAIL)
    async with store.write() as tx:
        row = await channels.find_row(tx, mail, lock=True)
        assert channels.signing_secrets(tx, row) == ()
        with pytest.raises(Conflict, match="only webhooks are signed"):
            channels.rotate_secret(tx, row)


async def test_targets_are_stored_sealed(store: Store) -> None:
    url = "https://hooks.slack.com/services/T0/B0/secretsecret"
    row = await channel_row(store, await new_channel(store, kind="slack", url=url))

    assert "slack.com" not in row.settings
    async with store.read() as tx:
        assert channels.opened(tx, row).settings == channel_of(kind="slack", url=url)


async def test_a_name_is_taken_once(store: Store, channel: str) -> None:
    with pytest.raises(Conflict, match="there is a channel named 'ops' already"):
        await new_channel(store)
    other = await new_channel(store, name="other")
    async with store.write() as tx:
        row = await channels.find_row(tx, other, lock=True)
        with pytest.raises(Conflict, match="there is a channel named 'ops' already"):
            await channels.change(tx, row, channel_of())
        await tx.session.rollback()

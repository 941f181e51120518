"""Who holds a server's name."""

from dataclasses import replace
from datetime import timedelta

import pytest

from aweigh.contract import LEASE_SECONDS, Lease
from aweigh.core.errors import Conflict, Invalid
from aweigh.store import servers
from aweigh.store.database import Store, Transaction
from tests.support.installation import SERVER


def ask(identity: str = "a", boot: str = "one") -> Lease:
    return Lease(identity=identity, boot=boot, worker_version="1")


def later(tx: Transaction, seconds: float) -> Transaction:
    return replace(tx, now=tx.now + timedelta(seconds=seconds))


async def test_the_same_worker_renews_its_lease(store: Store) -> None:
    async with store.write() as tx:
        await servers.lease(tx, SERVER, ask())
        await servers.lease(later(tx, 5), SERVER, ask())

        await servers.check_holder(tx, SERVER, "a", "one")


async def test_a_worker_that_restarts_on_its_machine_takes_over_at_once(store: Store) -> None:
    async with store.write() as tx:
        await servers.lease(tx, SERVER, ask())

    async with store.write() as tx:
        await servers.lease(tx, SERVER, ask())


@pytest.mark.parametrize(
    "other", [ask(identity="b"), ask(boot="two"), ask(identity="b", boot="two")]
)
async def test_somebody_else_is_refused_until_the_lease_expires(store: Store, other: Lease) -> None:
    async with store.write() as tx:
        await servers.lease(tx, SERVER, ask())

        with pytest.raises(Conflict, match=r"'local' is held by another .*AWEIGH_SERVER"):
            await servers.lease(later(tx, LEASE_SECONDS - 1), SERVER, other)

        await servers.lease(later(tx, LEASE_SECONDS + 1), SERVER, other)


async def test_only_the_holder_passes_for_it(store: Store) -> None:
    async with store.write() as tx:
        await servers.lease(tx, SERVER, ask())

        for other in (("b", "one"), ("a", "two"), ("a", "")):
            with pytest.raises(Conflict, match="held by another server worker"):
                await servers.check_holder(tx, SERVER, *other)


async def test_nobody_passes_for_the_holder_of_a_name_that_was_never_leased(store: Store) -> None:
    async with store.read() as tx:
        with pytest.raises(Conflict):
            await servers.check_holder(tx, SERVER, "", "")


async def test_a_server_that_is_not_there_is_named(store: Store) -> None:
    async with store.read() as tx:
        with pytest.raises(Invalid, match="no server 'moon'") as caught:
            await servers.check_exists(tx, "moon")

    assert caught.value.field == "server"


async def test_a_server_that_is_not_there_has_no_holder(store: Store) -> None:
    async with store.write() as tx:
        with pytest.raises(Conflict, match="a token for server 'moon', but no such server"):
            await servers.lease(tx, "moon", ask())
        with pytest.raises(Conflict, match="a token for server 'moon', but no such server"):
            await servers.check_holder(tx, "moon", "a", "one")

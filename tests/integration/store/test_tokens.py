"""Who may do what."""

import pytest
from sqlalchemy import select

from aweigh.core.errors import NotFound
from aweigh.store import tokens
from aweigh.store.database import Store
from aweigh.store.tables import TokenRow
from aweigh.store.tokens import Bearer, Scope

CI = Bearer(name="ci", scope=Scope.DEPLOY)


async def issue(store: Store, bearer: Bearer) -> str:
    async with store.write() as tx:
        return await tokens.issue(tx, bearer)


async def test_a_token_tells_who_holds_it(store: Store) -> None:
    bearer = Bearer(name="server-local", scope=Scope.SERVER, server="local")
    token = await issue(store, bearer)

    async with store.read() as tx:
        assert await tokens.authenticate(tx, token) == bearer


@pytest.mark.parametrize("token", ["", "awg_guess", "awg_\0", "awg_\xff"])
async def test_a_guess_tells_nothing(store: Store, token: str) -> None:
    await issue(store, CI)

    async with store.read() as tx:
        assert await tokens.authenticate(tx, token) is None


async def test_only_a_digest_of_a_token_is_kept(store: Store) -> None:
    token = await issue(store, CI)

    async with store.read() as tx:
        row = (await tx.session.scalars(select(TokenRow))).one()
    assert token.startswith("awg_")
    assert token not in f"{row.hash}{row.id}{row.name}"


async def test_a_new_token_of_a_name_replaces_the_old_one(store: Store) -> None:
    old = await issue(store, CI)
    new = await issue(store, CI)

    async with store.read() as tx:
        assert await tokens.authenticate(tx, old) is None
        assert await tokens.authenticate(tx, new) == CI


async def test_a_token_that_was_taken_back_stops_working(store: Store) -> None:
    token = await issue(store, CI)
    async with store.write() as tx:
        await tokens.revoke(tx, "ci")

    async with store.write() as tx:
        assert await tokens.authenticate(tx, token) is None
        with pytest.raises(NotFound, match="there is no token 'ci'"):
            await tokens.revoke(tx, "ci")


async def test_all_holders_are_listed_by_name(store: Store) -> None:
    admin = Bearer(name="admin", scope=Scope.ADMIN)
    for bearer in (CI, admin):
        await issue(store, bearer)

    async with store.read() as tx:
        assert await tokens.all_of(tx) == [admin, CI]


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [
        (Scope.READ, {Scope.READ}),
        (Scope.DEPLOY, {Scope.READ, Scope.DEPLOY}),
        (Scope.ADMIN, {Scope.READ, Scope.DEPLOY, Scope.ADMIN}),
        (Scope.SERVER, {Scope.SERVER}),
    ],
)
def test_a_scope_includes_the_ones_before_it_but_server_stands_alone(
    scope: Scope, allowed: set[Scope]
) -> None:
    assert {needed for needed in Scope if scope.allows(needed)} == allowed

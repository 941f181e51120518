"""Applications: made, found, changed, and never mistaken for one another."""

import pytest

from aweigh.core.errors import Conflict, NotFound
from aweigh.secrets.value import REVEAL
from aweigh.secrets.vault import SealBroken
from aweigh.store import applications, removals
from aweigh.store.database import Store
from aweigh.store.tables import ApplicationRow
from tests.support.installation import (
    create_application,
    new_application,
    open_store,
    settings_of,
)


async def test_an_application_is_found_by_id_and_by_slug(store: Store) -> None:
    made = await new_application(store, "My Shop!", env={"TOKEN": "geheim"})

    async with store.read() as tx:
        by_id = await applications.find(tx, made)
        by_slug = await applications.find(tx, "my-shop")

    assert by_id.row.id == by_slug.row.id == made
    assert by_id.row.slug == "my-shop"
    assert by_id.row.name == "My Shop!"
    assert by_id.settings == settings_of(env={"TOKEN": "geheim"})


@pytest.mark.parametrize("name", ["app_aaaaaaaaaaaaaaaaaaaaaaaaaa", "nobody", "", "a\0b", "\ud800"])
async def test_one_that_is_not_there_is_not_found(store: Store, name: str) -> None:
    async with store.read() as tx:
        with pytest.raises(NotFound, match="there is no application"):
            await applications.find(tx, name)


@pytest.mark.parametrize(
    ("name", "slug"),
    [("7up", "app-7up"), ("---", "app-cb3f91d5"), ("ü", "u"), ("x" * 41, "x" * 40)],
)
async def test_every_name_gives_a_slug(store: Store, name: str, slug: str) -> None:
    async with store.write() as tx:
        made = await create_application(tx, name)

    assert made.row.slug == slug


async def test_a_slug_is_given_once(store: Store) -> None:
    await new_application(store, "Shop")

    async with store.write() as tx:
        with pytest.raises(Conflict, match="the slug 'shop' is or was used"):
            await create_application(tx, "shop!")


async def test_a_slug_is_never_used_again(store: Store) -> None:
    made = await new_application(store)
    async with store.write() as tx:
        await removals.request(tx, await applications.find_row(tx, made), volumes=False)
    async with store.write() as tx:
        await removals.succeeded(tx, made)

    async with store.write() as tx:
        with pytest.raises(NotFound):
            await applications.find(tx, "shop")
        with pytest.raises(Conflict, match="is or was used by another application"):
            await create_application(tx)


async def test_settings_and_secret_are_sealed_in_the_database(store: Store) -> None:
    made = await new_application(store, env={"TOKEN": "correct-horse"})

    async with store.read() as tx:
        row = await tx.session.get_one(ApplicationRow, made)
        secret = applications.secret_of(tx, row)

    assert "correct-horse" not in row.settings
    assert secret.startswith("awds_")
    assert secret not in row.secret


async def test_sealed_settings_of_one_do_not_open_as_those_of_another(store: Store) -> None:
    shop, blog = await new_application(store), await new_application(store, "blog")
    async with store.write() as tx:
        source = await tx.session.get_one(ApplicationRow, shop)
        target = await tx.session.get_one(ApplicationRow, blog)
        target.settings = source.settings

    async with store.read() as tx:
        with pytest.raises(SealBroken, match="was sealed for"):
            await applications.find(tx, blog)


async def test_another_installations_keys_open_nothing(store: Store, url: str) -> None:
    made = await new_application(store)

    async with open_store(url) as other, other.read() as tx:
        with pytest.raises(SealBroken):
            await applications.find(tx, made)


async def test_a_change_of_settings_is_kept_with_its_time(store: Store) -> None:
    made = await new_application(store)

    async with store.write() as tx:
        found = await applications.find(tx, made, lock=True)
        await applications.change(tx, found, settings_of(replicas=3))
        changed_at = tx.now

    async with store.read() as tx:
        after = await applications.find(tx, made)
    assert after.settings.replicas == 3
    assert after.row.updated_at == changed_at > after.row.created_at


async def test_secrets_survive_a_change_of_something_else(store: Store) -> None:
    registry = {"registry": {"username": "ci", "password": "geheim"}}
    made = await new_application(store, source=registry, env={"A": "b"})

    async with store.write() as tx:
        found = await applications.find(tx, made, lock=True)
        await applications.change(tx, found, found.settings.model_copy(update={"replicas": 2}))

    async with store.read() as tx:
        shown = (await applications.find(tx, made)).settings.model_dump(context=REVEAL)
    assert shown["source"]["registry"]["password"] == "geheim"
    assert shown["env"] == {"A": "b"}


async def test_pages_hold_every_application_once(store: Store) -> None:
    made = [await new_application(store, f"shop-{number}") for number in range(5)]

    seen: list[str] = []
    async with store.read() as tx:
        while page := await applications.page(tx, after=seen[-1] if seen else None, limit=2):
            seen += [one.id for one in page]

    assert seen == made


async def test_the_hook_opens_with_its_secret_only(store: Store) -> None:
    made = await new_application(store)
    async with store.read() as tx:
        found = await applications.find(tx, made)
        hook, secret = found.row.hook, applications.secret_of(tx, found.row)

        assert (await applications.find_by_hook(tx, hook, secret)).row.id == made
        refusals = [(hook, "wrong"), (hook, ""), ("hook_unknown", secret), ("h\0k", "s\xff")]
        for refused in refusals:
            with pytest.raises(NotFound, match="unknown deploy hook, or wrong deploy secret"):
                await applications.find_by_hook(tx, *refused)


async def test_a_rotation_takes_effect_at_once(store: Store) -> None:
    made = await new_application(store)
    async with store.write() as tx:
        found = await applications.find(tx, made, lock=True)
        before = found.row.hook, applications.secret_of(tx, found.row)
        applications.rotate_secret(tx, found.row)

    async with store.read() as tx:
        row = (await applications.find(tx, made)).row
        after = row.hook, applications.secret_of(tx, row)
        with pytest.raises(NotFound):
            await applications.find_by_hook(tx, *before)
        assert (await applications.find_by_hook(tx, *after)).row.id == made
    assert not set(before) & set(after)


async def test_resealing_leaves_the_values_as_they_were(store: Store) -> None:
    made = await new_application(store, env={"A": "b"})
    async with store.write() as tx:
        row = (await applications.find(tx, made, lock=True)).row
        before = row.settings, row.secret, applications.secret_of(tx, row)
        applications.reseal(tx, row)

    async with store.read() as tx:
        after = await applications.find(tx, made)
        assert after.settings == settings_of(env={"A": "b"})
        assert applications.secret_of(tx, after.row) == before[2]
        assert after.row.settings != before[0]
        assert after.row.secret != before[1]

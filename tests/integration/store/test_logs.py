"""The log of a deployment: bytes in order, addressed by offset."""

import asyncio

import pytest

from aweigh.core.errors import NotFound
from aweigh.store import logs
from aweigh.store.database import Store
from tests.support.installation import new_application, new_deployment


@pytest.fixture
async def deployment(store: Store) -> str:
    return await new_deployment(store, await new_application(store))


async def append(store: Store, deployment_id: str, offset: int, data: bytes) -> int:
    async with store.write() as tx:
        return (await logs.append(tx, deployment_id, offset, data)).length


async def read(store: Store, deployment_id: str, start: int) -> bytes:
    async with store.read() as tx:
        return await logs.read(tx, deployment_id, start, 1000)


async def test_a_log_begins_empty(store: Store, deployment: str) -> None:
    assert await append(store, deployment, 0, b"") == 0
    assert await read(store, deployment, 0) == b""


async def test_what_is_appended_at_the_end_is_taken(store: Store, deployment: str) -> None:
    assert await append(store, deployment, 0, b"one\n") == 4
    assert await append(store, deployment, 4, b"two\n") == 8

    assert await read(store, deployment, 0) == b"one\ntwo\n"


@pytest.mark.parametrize("offset", [0, 3, 5, 10**30])
async def test_what_is_not_at_the_exact_end_is_refused(
    store: Store, deployment: str, offset: int
) -> None:
    await append(store, deployment, 0, b"one\n")

    assert await append(store, deployment, offset, b"two\n") == 4

    assert await read(store, deployment, 0) == b"one\n"


async def test_the_same_bytes_again_are_not_taken_again(store: Store, deployment: str) -> None:
    async with store.write() as tx:
        first = await logs.append(tx, deployment, 0, b"one\n")
        again = await logs.append(tx, deployment, 0, b"one\n")

    assert (first, again) == (logs.Appended(4, taken=True), logs.Appended(4, taken=False))


async def test_bytes_stay_bytes(store: Store, deployment: str) -> None:
    data = bytes(range(256))

    assert await append(store, deployment, 0, data) == 256

    assert await read(store, deployment, 0) == data


async def test_of_many_appends_at_one_offset_one_is_taken(store: Store, deployment: str) -> None:
    lengths = await asyncio.gather(
        *(append(store, deployment, 0, b"x" * number) for number in range(1, 9))
    )

    assert len(await read(store, deployment, 0)) in range(1, 9)
    assert set(lengths) == {len(await read(store, deployment, 0))}


async def test_logs_do_not_mix(store: Store, deployment: str) -> None:
    other = await new_deployment(store, await new_application(store, "blog"))

    await append(store, deployment, 0, b"shop\n")
    await append(store, other, 0, b"blog\n")

    assert await read(store, deployment, 0) == b"shop\n"
    assert await read(store, other, 0) == b"blog\n"


async def test_a_log_of_no_deployment_is_refused(store: Store) -> None:
    with pytest.raises(NotFound):
        await append(store, "dep_aaaaaaaaaaaaaaaaaaaaaaaaaa", 0, b"x")


async def test_it_can_be_read_from_anywhere(store: Store, deployment: str) -> None:
    text = b"abcdefghi"
    for offset, chunk in ((0, b"ab"), (2, b"cdefg"), (7, b"hi")):
        await append(store, deployment, offset, chunk)

    async with store.read() as tx:
        for start in range(11):
            for most in range(1, 11):
                found = await logs.read(tx, deployment, start, most)
                assert found == text[start : start + most]

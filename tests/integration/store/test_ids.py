"""Ids and secrets."""

import time

from aweigh.core import grammar
from aweigh.core.ids import digest, new_id, new_secret


def test_ids_sort_by_the_time_they_were_made() -> None:
    made = []
    for _ in range(200):
        made.append(new_id("dep"))
        until = time.time_ns() // 1_000_000 + 1
        while time.time_ns() // 1_000_000 < until:  # UUIDv7 counts milliseconds
            pass

    assert made == sorted(made)


def test_ids_of_one_millisecond_sort_by_the_order_they_were_made_in() -> None:
    made = [new_id("dep") for _ in range(2000)]

    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_an_id_has_the_form_that_others_may_rely_on() -> None:
    assert grammar.matches(grammar.ENTITY_ID, new_id("app"))


def test_secrets_are_long_and_never_alike() -> None:
    made = {new_secret("hook") for _ in range(100)}

    assert len(made) == 100
    assert {len(one) for one in made} == {len("hook_") + 43}


def test_a_digest_tells_nothing_but_whether_two_are_alike() -> None:
    assert digest("a") == digest("a") != digest("b")
    assert len(digest("a")) == 64

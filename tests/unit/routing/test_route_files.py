"""The committed files: what is live on this server, told by the server itself."""

from pathlib import Path
from typing import Any

import pytest

from aweigh.routing.route import Generation, Routing, render
from aweigh.routing.route_files import RouteFile, RouteFiles
from tests.support.installation import settings_of


def generation(sequence: int, **facts: Any) -> Generation:
    known: dict[str, Any] = {
        "instance": "i", "application": "app_1", "slug": "shop", "deployment": f"dep_{sequence}",
        "sequence": sequence, "image_id": "sha256:1", "addresses": (f"10.201.1.{sequence}",),
        "port": 8000,
    }  # fmt: skip
    return Generation(**known | facts)


@pytest.fixture
def route_files(tmp_path: Path) -> RouteFiles:
    made = RouteFiles(tmp_path / "routes")
    made.prepare()
    return made


def commit(route_files: RouteFiles, new: Generation, *, routed: bool = True) -> RouteFile:
    settings = settings_of(domains=[{"host": "shop.example.com"}] if routed else [])
    text = render(new, settings, Routing(certificates=False))
    return route_files.write(new, text, routed=routed)


def live(route_files: RouteFiles) -> int | None:
    found = route_files.live("shop")
    return found.generation.sequence if found else None


def files(route_files: RouteFiles) -> set[str]:
    """Every file there is, by its directory."""
    root = route_files.routed.parent
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def test_nothing_is_live_at_first(route_files: RouteFiles) -> None:
    assert (live(route_files), route_files.all(), route_files.of("shop")) == (None, [], [])


def test_what_was_committed_is_live(route_files: RouteFiles) -> None:
    made = commit(route_files, generation(1))

    assert (
        route_files.live("shop")
        == made
        == RouteFile(route_files.routed / "shop.yml", generation(1))
    )
    assert files(route_files) == {"routed/shop.yml"}


def test_a_file_is_readable_by_the_proxy(route_files: RouteFiles) -> None:
    assert commit(route_files, generation(1)).path.stat().st_mode & 0o777 == 0o644


def test_a_commit_replaces_the_one_before_and_keeps_it(route_files: RouteFiles) -> None:
    commit(route_files, generation(1))

    second = commit(route_files, generation(2))

    assert live(route_files) == 2
    assert route_files.has_kept(second)


def test_going_back_makes_the_one_before_live_again(route_files: RouteFiles) -> None:
    first = commit(route_files, generation(1))
    before = first.path.read_text()

    assert route_files.go_back(commit(route_files, generation(2))) == generation(1)

    assert live(route_files) == 1
    assert first.path.read_text() == before
    assert files(route_files) == {"routed/shop.yml"}


def test_going_back_from_the_first_one_leaves_nothing(route_files: RouteFiles) -> None:
    assert route_files.go_back(commit(route_files, generation(1))) is None

    assert files(route_files) == set()


def test_going_back_twice_does_nothing_more(route_files: RouteFiles) -> None:
    commit(route_files, generation(1))
    second = commit(route_files, generation(2))
    route_files.go_back(second)

    assert route_files.go_back(second) is None

    assert live(route_files) == 1


def test_going_back_leaves_a_newer_commit_alone(route_files: RouteFiles) -> None:
    second = commit(route_files, generation(2))
    commit(route_files, generation(3))

    assert route_files.go_back(second) is None

    assert live(route_files) == 3


def test_a_commit_that_is_repeated_keeps_what_was_before_it(route_files: RouteFiles) -> None:
    commit(route_files, generation(1))
    commit(route_files, generation(2))

    again = commit(route_files, generation(2))

    assert route_files.go_back(again) == generation(1)
    assert live(route_files) == 1


def test_after_a_verified_switch_nothing_older_is_kept(route_files: RouteFiles) -> None:
    commit(route_files, generation(1))
    second = commit(route_files, generation(2))

    route_files.forget_older(generation(2))

    assert not route_files.has_kept(second)
    assert files(route_files) == {"routed/shop.yml"}


@pytest.mark.parametrize("routed", [True, False], ids=["loses its domains", "gains domains"])
def test_an_application_that_changes_its_directory_is_live_once(
    route_files: RouteFiles, routed: bool
) -> None:
    commit(route_files, generation(1), routed=routed)
    commit(route_files, generation(2), routed=not routed)
    assert live(route_files) == 2
    assert [one.generation.sequence for one in route_files.all()] == [2]

    route_files.forget_older(generation(2))

    assert files(route_files) == {"unrouted/shop.yml" if routed else "routed/shop.yml"}


@pytest.mark.parametrize("routed", [True, False], ids=["loses its domains", "gains domains"])
def test_going_back_over_a_change_of_directory_leaves_the_other_file(
    route_files: RouteFiles, routed: bool
) -> None:
    first = commit(route_files, generation(1), routed=routed)

    route_files.go_back(commit(route_files, generation(2), routed=not routed))

    assert route_files.live("shop") == first
    assert len(files(route_files)) == 1


def test_going_back_never_brings_back_what_the_commit_did_not_replace(
    route_files: RouteFiles,
) -> None:
    commit(route_files, generation(1), routed=False)
    commit(route_files, generation(2), routed=False)  # and a crash before anything was forgotten
    third = commit(route_files, generation(3), routed=True)

    assert route_files.go_back(third) is None

    assert live(route_files) == 2
    assert not route_files.routed.joinpath("shop.yml").exists()


def test_the_one_before_is_kept_even_where_writing_is_impossible(route_files: RouteFiles) -> None:
    first = commit(route_files, generation(1))
    blocked = route_files.routed.parent / "temporary" / "shop.yml"
    blocked.mkdir()

    with pytest.raises(IsADirectoryError):
        commit(route_files, generation(2))

    assert route_files.live("shop") == first


def test_going_back_needs_no_writing(route_files: RouteFiles) -> None:
    commit(route_files, generation(1))
    second = commit(route_files, generation(2))
    (route_files.routed.parent / "temporary" / "shop.yml").mkdir()

    route_files.go_back(second)

    assert live(route_files) == 1


def test_a_file_is_replaced_and_never_written_into(route_files: RouteFiles) -> None:
    first = commit(route_files, generation(1))
    with first.path.open() as reader:
        before = first.path.read_text()
        commit(route_files, generation(2))

        assert reader.read() == before


def test_another_pool_leaves_what_is_live_and_what_is_kept(route_files: RouteFiles) -> None:
    commit(route_files, generation(1))
    second = commit(route_files, generation(2, addresses=("10.201.1.2", "10.201.1.3")))
    text = second.path.read_text().replace("- url: http://10.201.1.3:8000\n", "")

    route_files.rewrite(second, text)

    assert route_files.live("shop") == second
    assert route_files.go_back(second) == generation(1)


def test_all_tells_every_application_once(route_files: RouteFiles) -> None:
    commit(route_files, generation(1))
    commit(route_files, generation(4, slug="blog", application="app_2"), routed=False)
    commit(route_files, generation(5, slug="blog", application="app_2"))

    found = [(one.generation.slug, one.generation.sequence) for one in route_files.all()]
    assert found == [("blog", 5), ("shop", 1)]


def test_a_removal_leaves_nothing_of_the_application(route_files: RouteFiles) -> None:
    commit(route_files, generation(1), routed=False)
    commit(route_files, generation(2))
    commit(route_files, generation(3))
    commit(route_files, generation(1, slug="shop-2", application="app_2"))

    route_files.remove("shop")
    route_files.remove("shop")

    assert files(route_files) == {"routed/shop-2.yml"}


def test_what_is_live_outlives_the_process(route_files: RouteFiles) -> None:
    made = commit(route_files, generation(1))

    again = RouteFiles(route_files.routed.parent)
    again.prepare()

    assert again.live("shop") == made

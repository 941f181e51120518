"""The committed files: what is live on this server, told by the server itself."""

from pathlib import Path
from typing import Any

import pytest

from aweigh.routing.route import Generation, Routing, render
from aweigh.routing.route_files import Commit, Commits
from tests.support.installation import settings_of


def generation(sequence: int, **facts: Any) -> Generation:
    known: dict[str, Any] = {
        "instance": "i", "application": "app_1", "slug": "shop", "deployment": f"dep_{sequence}",
        "sequence": sequence, "image_id": "sha256:1", "addresses": (f"10.201.1.{sequence}",),
        "port": 8000,
    }  # fmt: skip
    return Generation(**known | facts)


@pytest.fixture
def commits(tmp_path: Path) -> Commits:
    made = Commits(tmp_path / "routes")
    made.prepare()
    return made


def commit(commits: Commits, new: Generation, *, routed: bool = True) -> Commit:
    settings = settings_of(domains=[{"host": "shop.example.com"}] if routed else [])
    text = render(new, settings, Routing(certificates=False))
    return commits.commit(new, text, routed=routed)


def live(commits: Commits) -> int | None:
    found = commits.live("shop")
    return found.generation.sequence if found else None


def files(commits: Commits) -> set[str]:
    """Every file there is, by its directory."""
    root = commits.routed.parent
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def test_nothing_is_live_at_first(commits: Commits) -> None:
    assert (live(commits), commits.all(), commits.of("shop")) == (None, [], [])


def test_what_was_committed_is_live(commits: Commits) -> None:
    made = commit(commits, generation(1))

    assert commits.live("shop") == made == Commit(commits.routed / "shop.yml", generation(1))
    assert files(commits) == {"routed/shop.yml"}


def test_a_file_is_readable_by_the_proxy(commits: Commits) -> None:
    assert commit(commits, generation(1)).path.stat().st_mode & 0o777 == 0o644


def test_a_commit_replaces_the_one_before_and_keeps_it(commits: Commits) -> None:
    commit(commits, generation(1))

    second = commit(commits, generation(2))

    assert live(commits) == 2
    assert commits.has_kept(second)


def test_going_back_makes_the_one_before_live_again(commits: Commits) -> None:
    first = commit(commits, generation(1))
    before = first.path.read_text()

    assert commits.go_back(commit(commits, generation(2))) == generation(1)

    assert live(commits) == 1
    assert first.path.read_text() == before
    assert files(commits) == {"routed/shop.yml"}


def test_going_back_from_the_first_one_leaves_nothing(commits: Commits) -> None:
    assert commits.go_back(commit(commits, generation(1))) is None

    assert files(commits) == set()


def test_going_back_twice_does_nothing_more(commits: Commits) -> None:
    commit(commits, generation(1))
    second = commit(commits, generation(2))
    commits.go_back(second)

    assert commits.go_back(second) is None

    assert live(commits) == 1


def test_going_back_leaves_a_newer_commit_alone(commits: Commits) -> None:
    second = commit(commits, generation(2))
    commit(commits, generation(3))

    assert commits.go_back(second) is None

    assert live(commits) == 3


def test_a_commit_that_is_repeated_keeps_what_was_before_it(commits: Commits) -> None:
    commit(commits, generation(1))
    commit(commits, generation(2))

    again = commit(commits, generation(2))

    assert commits.go_back(again) == generation(1)
    assert live(commits) == 1


def test_after_a_verified_switch_nothing_older_is_kept(commits: Commits) -> None:
    commit(commits, generation(1))
    second = commit(commits, generation(2))

    commits.forget_older(generation(2))

    assert not commits.has_kept(second)
    assert files(commits) == {"routed/shop.yml"}


@pytest.mark.parametrize("routed", [True, False], ids=["loses its domains", "gains domains"])
def test_an_application_that_changes_its_directory_is_live_once(
    commits: Commits, routed: bool
) -> None:
    commit(commits, generation(1), routed=routed)
    commit(commits, generation(2), routed=not routed)
    assert live(commits) == 2
    assert [one.generation.sequence for one in commits.all()] == [2]

    commits.forget_older(generation(2))

    assert files(commits) == {"unrouted/shop.yml" if routed else "routed/shop.yml"}


@pytest.mark.parametrize("routed", [True, False], ids=["loses its domains", "gains domains"])
def test_going_back_over_a_change_of_directory_leaves_the_other_file(
    commits: Commits, routed: bool
) -> None:
    first = commit(commits, generation(1), routed=routed)

    commits.go_back(commit(commits, generation(2), routed=not routed))

    assert commits.live("shop") == first
    assert len(files(commits)) == 1


def test_going_back_never_brings_back_what_the_commit_did_not_replace(commits: Commits) -> None:
    commit(commits, generation(1), routed=False)
    commit(commits, generation(2), routed=False)  # and a crash before anything was forgotten
    third = commit(commits, generation(3), routed=True)

    assert commits.go_back(third) is None

    assert live(commits) == 2
    assert not commits.routed.joinpath("shop.yml").exists()


def test_the_one_before_is_kept_even_where_writing_is_impossible(commits: Commits) -> None:
    first = commit(commits, generation(1))
    blocked = commits.routed.parent / "temporary" / "shop.yml"
    blocked.mkdir()

    with pytest.raises(IsADirectoryError):
        commit(commits, generation(2))

    assert commits.live("shop") == first


def test_going_back_needs_no_writing(commits: Commits) -> None:
    commit(commits, generation(1))
    second = commit(commits, generation(2))
    (commits.routed.parent / "temporary" / "shop.yml").mkdir()

    commits.go_back(second)

    assert live(commits) == 1


def test_a_file_is_replaced_and_never_written_into(commits: Commits) -> None:
    first = commit(commits, generation(1))
    with first.path.open() as reader:
        before = first.path.read_text()
        commit(commits, generation(2))

        assert reader.read() == before


def test_another_pool_leaves_what_is_live_and_what_is_kept(commits: Commits) -> None:
    commit(commits, generation(1))
    second = commit(commits, generation(2, addresses=("10.201.1.2", "10.201.1.3")))
    text = second.path.read_text().replace("- url: http://10.201.1.3:8000\n", "")

    commits.rewrite(second, text)

    assert commits.live("shop") == second
    assert commits.go_back(second) == generation(1)


def test_all_tells_every_application_once(commits: Commits) -> None:
    commit(commits, generation(1))
    commit(commits, generation(4, slug="blog", application="app_2"), routed=False)
    commit(commits, generation(5, slug="blog", application="app_2"))

    found = [(one.generation.slug, one.generation.sequence) for one in commits.all()]
    assert found == [("blog", 5), ("shop", 1)]


def test_a_removal_leaves_nothing_of_the_application(commits: Commits) -> None:
    commit(commits, generation(1), routed=False)
    commit(commits, generation(2))
    commit(commits, generation(3))
    commit(commits, generation(1, slug="shop-2", application="app_2"))

    commits.remove("shop")
    commits.remove("shop")

    assert files(commits) == {"routed/shop-2.yml"}


def test_what_is_live_outlives_the_process(commits: Commits) -> None:
    made = commit(commits, generation(1))

    again = Commits(commits.routed.parent)
    again.prepare()

    assert again.live("shop") == made

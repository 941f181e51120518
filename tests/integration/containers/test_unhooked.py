"""Docker takes its chains out for a moment: nothing passes meanwhile that did not before.

The matrix of who reaches whom is taken from namespaces (`tests/support/router.py`), not from an
engine: there the moment lasts as long as the test wants.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.router import PLACES, REDIRECTED

ROOT = Path(__file__).parents[3]

ALLOWED = "allowed metadata at an agent"
Reached = dict[str, dict[str, set[str]]]
#: What is open to all applications.
OPEN = {"internet", "local network", "published port", "port of another container", ALLOWED}


@pytest.fixture(scope="module")
def reached() -> Reached:
    """Whom each place reaches, by stage."""
    done = subprocess.run(
        ["unshare", "--net", "--mount", sys.executable, "-m", "tests.support.router"],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return {
        stage: {
            source: {target for target, is_reached in targets.items() if is_reached}
            for source, targets in sources.items()
        }
        for stage, sources in json.loads(done.stdout).items()
    }


@pytest.mark.parametrize("source", ["application", "member", "build"])
def test_everything_is_reached_before_there_are_rules(reached: Reached, source: str) -> None:
    """Else the others prove nothing."""
    assert reached["open"][source] == {*PLACES, "metadata"} - {source}


def test_who_is_not_confined_reaches_every_place_also_in_that_moment(reached: Reached) -> None:
    """So each place still answers, and this machine still forwards."""
    targets = {*PLACES, *REDIRECTED, "metadata"}
    from_outside = targets - {"internet", "metadata at an agent", ALLOWED}

    assert reached["hooked"]["internet"] == reached["unhooked"]["internet"] == from_outside
    assert reached["unhooked"]["default network"] == targets - {"default network"}


@pytest.mark.parametrize("stage", ["hooked", "unhooked"])
@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("application", {"replica", *OPEN}),
        ("member", {"shared network", *OPEN}),
        ("build", {"internet", ALLOWED}),
    ],
)
def test_what_is_reached_is_the_same_whether_or_not_dockers_chains_are_used(
    reached: Reached, stage: str, source: str, expected: set[str]
) -> None:
    """No other application, no build, no other network of the engine, and no metadata service."""
    assert reached[stage][source] == expected

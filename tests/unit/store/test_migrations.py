"""The migrations are one chain, also when two branches that each added one have met."""

import re
from pathlib import Path

from aweigh.store import migrations

VERSIONS = Path(migrations.__path__[0]) / "versions"


def test_every_migration_follows_the_one_before() -> None:
    files = sorted(VERSIONS.glob("[0-9]*.py"))
    before = "None"

    for path in files:
        text = path.read_text()
        revision = re.search(r'^revision = "(\d+)"', text, re.MULTILINE)
        down = re.search(r'^down_revision = "?(\w+)"?', text, re.MULTILINE)
        assert revision is not None, path.name
        assert down is not None, path.name
        assert (path.name[:4], down[1]) == (revision[1], before)
        before = revision[1]

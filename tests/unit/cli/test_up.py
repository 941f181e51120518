"""What `aweigh up --demo` opens, and for whom."""

import json
from pathlib import Path

from aweigh.core.settings import Settings
from cli.demo.repository import Repository
from cli.up import opened_for


def test_the_demo_opens_one_port_beside_what_is_set() -> None:
    settings = Settings.model_validate({"private_targets": ["10.0.0.0/8"]})

    opened = opened_for(Repository(Path("/nowhere"), "demo", 40123), settings)

    assert json.loads(opened["AWEIGH_PRIVATE_TARGETS"]) == ["10.0.0.0/8", "127.0.0.1:40123"]

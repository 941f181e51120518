"""Chains of the packet filter, in the words of its commands."""

import os
from pathlib import Path

import pytest

from aweigh.containers.iptables import CannotConfine, Chain, restore_text, set_chains

#: Logs each call; restores no table `raw`, and has no chain DOCKER-USER.
BROKEN = """#!/bin/sh
given="$(basename $0) $*"
case "$0" in *-restore) text=$(cat); given="$given $(echo "$text" | head -n 1)";; esac
echo "$given" >> {log}
case "$given" in
    *" *raw") echo "can't initialize table raw" >&2; exit 3;;
    *" -I DOCKER-USER "*) echo "no chain DOCKER-USER" >&2; exit 1;;
    *" -C "*) exit 1;;
esac
"""


def chain(table: str, name: str, *rules: str, hook: str = "INPUT") -> Chain:
    return Chain(
        command="iptables", table=table, hook=hook, interface="aw+", name=name, rules=rules
    )


def test_chains_of_one_table_are_set_at_once_and_from_empty() -> None:
    chains = [chain("filter", "one", "-j DROP"), chain("filter", "two")]

    assert restore_text("filter", chains).splitlines() == [
        "*filter", ":one - [0:0]", ":two - [0:0]", "-A one -j DROP", "COMMIT",
    ]  # fmt: skip


def test_a_hook_leads_what_comes_in_by_the_interfaces_to_the_chain() -> None:
    assert " ".join(chain("filter", "one").change("-I")) == (
        "iptables --wait -t filter -I INPUT -i aw+ -j one"
    )


def test_a_table_that_cannot_be_set_keeps_no_other_from_being_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a kernel without the table, or an engine without the chain."""
    log = tmp_path / "log"
    for name in ("iptables", "iptables-restore"):
        (tmp_path / name).write_text(BROKEN.format(log=log))
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    chains = [
        chain("filter", "out", hook="DOCKER-USER"), chain("raw", "raw"),
        chain("filter", "host"), chain("security", "closed"),
    ]  # fmt: skip

    with pytest.raises(CannotConfine) as raised:
        set_chains(lambda: chains)

    assert str(raised.value) == (
        "iptables: no chain DOCKER-USER (tables: filter); "
        "iptables-restore: can't initialize table raw (tables: raw)"
    )
    calls = log.read_text().splitlines()
    restored = [call.split()[-1] for call in calls if call.startswith("iptables-restore ")]
    assert restored == ["*filter", "*raw", "*security"]
    assert [call.split()[-1] for call in calls if " -I " in call] == ["out", "host", "closed"]


def test_one_cause_is_told_once_for_all_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    with pytest.raises(CannotConfine, match=r"tables: filter, raw\)$") as raised:
        set_chains(lambda: [chain("filter", "one"), chain("raw", "two")])

    assert str(raised.value).count("iptables-restore") == 2  # the command, and what the kernel says

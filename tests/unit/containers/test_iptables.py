"""Chains of the packet filter, in the words of its commands."""

from aweigh.containers.iptables import Chain, restore_text


def chain(table: str, name: str, *rules: str) -> Chain:
    return Chain(
        command="iptables", table=table, hook="INPUT", interface="aw+", name=name, rules=rules
    )


def test_chains_of_one_table_are_set_at_once_and_from_empty() -> None:
    chains = [chain("filter", "one", "-j DROP"), chain("raw", "two"), chain("filter", "three")]

    assert restore_text(chains).splitlines() == [
        "*filter", ":one - [0:0]", ":three - [0:0]", "-A one -j DROP", "COMMIT",
        "*raw", ":two - [0:0]", "COMMIT",
    ]  # fmt: skip


def test_a_hook_leads_what_comes_in_by_the_interfaces_to_the_chain() -> None:
    assert " ".join(chain("filter", "one").change("-I")) == (
        "iptables --wait -t filter -I INPUT -i aw+ -j one"
    )

"""The commands of each workflow are pinned: a changed order would break running workflows."""

import ast
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RECORDED = Path(__file__).with_name("fingerprints.json")
WORKFLOWS = (
    "deployment",
    "steps",
    "announcements",
    "lane",
    "lane_entry",
    "lane_child",
    "removal",
    "records",
    "reconcile",
    "prune",
    "shield",
    "commit_status",
    "notification",
)

#: What becomes a command in a workflow's history, or decides which ones do.
COMMANDS = {
    "execute_activity", "execute_activity_method", "execute_local_activity_method",
    "start_activity", "start_child_workflow",
    "execute_child_workflow", "signal", "cancel", "sleep", "wait_condition", "patched",
    "upsert_search_attributes", "continue_as_new", "create_task", "shield", "gather",
    "run", "_run", "_deliver", "_complete", "_attempt", "_undo", "_finish",
    "record", "_record", "_record_failure", "show_state", "report_commit_status",
    "_wait_for_turn", "_wait_for_turn_or_end", "_reporting_end", "_report_end",
    "shield_until_done", "_read_turns", "start_child", "let_proceed", "request_end_report",
}  # fmt: skip

ADVICE = """The commands of workflows/{name}.py changed. Workflows that are running were started
with the old order, and would fail with a non-determinism error in the new version. Put the change
behind a patch:

    if workflow.patched("what-changed"):
        ...  # the new order
    else:
        ...  # the old order

record a history of the new path (python -m tests.support.histories), keep the old ones, and write
the new fingerprint into {file}:

{found}"""


def fingerprint(name: str) -> list[str]:
    """The commands in the order of the source, each with the function it stands in."""
    tree = ast.parse((ROOT / "workflows" / f"{name}.py").read_text())
    found: list[str] = []
    for function in ast.walk(tree):
        if not isinstance(function, ast.AsyncFunctionDef | ast.FunctionDef):
            continue
        calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
        for call in sorted(calls, key=lambda node: (node.lineno, node.col_offset)):
            command = _name(call.func)
            if command in COMMANDS:
                subject = _name(call.args[0]) if call.args else ""
                found.append(f"{function.name}: {command}({subject})")
    return found


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Call):
        return _name(node.func)
    return node.id if isinstance(node, ast.Name) else ""


@pytest.mark.parametrize("name", WORKFLOWS)
def test_the_commands_are_the_recorded_ones(name: str) -> None:
    found = fingerprint(name)

    recorded = json.loads(RECORDED.read_text())[name]

    assert found == recorded, ADVICE.format(
        name=name, file=RECORDED.name, found=json.dumps(found, indent=2)
    )

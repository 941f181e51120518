"""Processes that work off what callers ask let the callers come first."""

from pathlib import Path

from tests.support.stack import running_stack

GROUP = Path("/proc/sys/kernel/sched_autogroup_enabled")


def niceness(pid: int) -> tuple[int, int]:
    """Of a process, and of its group, where there are groups."""
    own = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[16])
    grouped = GROUP.exists() and GROUP.read_text().strip() == "1"
    group = Path(f"/proc/{pid}/autogroup").read_text().split()[-1] if grouped else own
    return own, int(group)


async def test_the_api_has_the_processors_before_what_it_sets_off(tmp_path: Path) -> None:
    async with running_stack(tmp_path, AWEIGH_KEEPS_PRIORITY="") as stack:
        pids = stack.pids()

        mine = niceness(pids["up"])
        behind = {part: niceness(pids[part]) for part in ("temporal", "control", "server")}

        assert niceness(pids["api"]) == (mine[0], 0)
        assert set(behind.values()) == {(min(mine[0] + 10, 19), 10)}

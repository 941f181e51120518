"""Having the reconciler look now, not within five minutes."""

from tests.support.outside import until
from tests.support.stack import Stack


async def reconcile(stack: Stack) -> None:
    """One whole run of it, begun after this was called."""
    schedule = (await stack.temporal()).get_schedule_handle("reconcile/local")

    async def is_idle() -> bool:
        return not (await schedule.describe()).info.running_actions

    await until(is_idle)
    runs = (await schedule.describe()).info.num_actions
    await schedule.trigger()

    async def has_run() -> bool:
        info = (await schedule.describe()).info
        return info.num_actions > runs and not info.running_actions

    await until(has_run)

"""A process's log has the traces of errors, and no secrets."""

import json
import subprocess
import sys
from textwrap import dedent

from aweigh.secrets.known import KnownSecrets

SECRET = "correct-horse-battery"

PREPARED = f"""
import asyncio, logging, threading
import structlog
from pydantic import BaseModel
from aweigh.core.errors import Unavailable
from aweigh.secrets.known import KnownSecrets
from aweigh.logging import configure_logging, log_lost_error, mask_logs

SECRET = {SECRET!r}
log, foreign = structlog.get_logger("test"), logging.getLogger("uvicorn.error")
configure_logging("info")

class Settings(BaseModel):
    port: int

def fail(kind=TypeError):
    try:
        raise ValueError(f"first {{SECRET}}")
    except ValueError as error:
        raise kind(f"then {{SECRET}}") from error

def logged(kind=TypeError):
    try:
        fail(kind)
    except kind:
        log.exception("it broke")
        foreign.exception("Exception in ASGI application\\n")
"""


def said(code: str) -> str:
    """What a process that runs this writes into its log."""
    ended = subprocess.run(
        [sys.executable, "-c", PREPARED + dedent(code)], capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stderr


def test_a_process_that_knows_its_secrets_masks_them() -> None:
    text = said("""
        mask_logs(KnownSecrets(SECRET).all)
        logged()
        logging.getLogger("temporalio").warning("with %s in it", SECRET)
    """)

    assert SECRET not in text
    ours = [json.loads(line) for line in text.splitlines()]
    assert [one["exception"].count("Traceback") for one in ours[:2]] == [2, 2]
    assert "TypeError: then **********" in ours[0]["exception"]
    assert "ValueError: first **********" in ours[1]["exception"]
    assert "with ********** in it" in ours[2]["event"]


def test_a_process_that_does_not_leaves_texts_of_others_errors_out() -> None:
    text = said("""
        logged()
        logged(Unavailable)
        try:
            Settings.model_validate({"port": SECRET})
        except ValueError:
            log.exception("not valid")
        try:
            raise ExceptionGroup(SECRET, [KeyError(SECRET)])
        except ExceptionGroup:
            log.exception("many")
    """)

    assert text.count(SECRET) == 2  # an error of Aweigh's own says what its author chose
    assert "TypeError" in text
    assert "KeyError" in text
    assert "ValidationError at port" in text
    assert "in fail" in text


def test_what_nobody_awaited_is_logged_like_everything_else() -> None:
    text = said("""
        async def main():
            asyncio.get_running_loop().set_exception_handler(log_lost_error)
            task = asyncio.ensure_future(asyncio.to_thread(fail))
            await asyncio.wait({task})

        asyncio.run(main())
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
    """)

    assert SECRET not in text
    assert text.count('"level": "error"') == 2


def test_a_line_that_cannot_be_written_is_not_printed_instead() -> None:
    text = said("""
        foreign.error("%d", SECRET)
    """)

    assert SECRET not in text
    assert "TypeError" in text


MAIN = f"""
from worker.process import run

async def main(settings, stop):
    raise KeyError({SECRET!r})

run(main)
"""


def test_a_process_that_breaks_says_where_and_not_what() -> None:
    ended = subprocess.run([sys.executable, "-c", MAIN], capture_output=True, text=True)

    assert ended.returncode == 1
    assert "stopped by an unexpected error" in ended.stderr
    assert "KeyError" in ended.stderr
    assert SECRET not in ended.stderr


def test_the_newest_secrets_are_known_and_the_lasting_ones_stay() -> None:
    known = KnownSecrets("lasting", "")

    for number in range(100):
        known.add(f"dep_{number}", [f"secret-{number}"])
    known.add("dep_99", ["another"])

    assert known.all()[0] == "lasting"
    assert "secret-98" in known.all()
    assert "another" in known.all()
    assert {"secret-99", "secret-0", ""} & set(known.all()) == set()


def test_secrets_that_are_held_are_known_however_many_others_were_read_since() -> None:
    known, held = KnownSecrets(), ["of-a-step"]

    with known.holding(held):
        held.append("fetched-for-it")
        for number in range(1000):
            known.add(f"dep_{number}", [f"secret-{number}"])

        assert known.all()[:2] == ["of-a-step", "fetched-for-it"]
    assert "of-a-step" not in known.all()


def test_two_steps_of_a_deployment_hold_what_is_alike_until_both_have_ended() -> None:
    known = KnownSecrets()

    with known.holding(["alike"]):
        with known.holding(["alike"]):
            assert known.all() == ["alike"]
        assert known.all() == ["alike"]

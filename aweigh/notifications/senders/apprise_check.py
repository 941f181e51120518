"""A process that says what apprise makes of one address, and ends.

It connects to nothing: a service is made, as `apprise_child` makes it, but not used.
"""

import json
import logging
import os
import re
import sys
from dataclasses import asdict
from typing import Any, Final

from aweigh.notifications.senders.apprise_service import NotAccepted, load_service
from aweigh.notifications.senders.child_guard import OfflineGuard
from aweigh.notifications.senders.child_messages import Acceptance, AddressQuestion

#: The receivers of services that send to each of them by a request of its own, and do not count
#: them.
_UNCOUNTED: Final = {"humhub": ("targets",), "pushplus": ("topics", "friends"), "sogs": ("rooms",)}
#: What apprise says of a part of an address that it leaves out.
_LEFT_OUT: Final = re.compile(r"dropp|ignor|invalid", re.IGNORECASE)


class _LeftOut(logging.Handler):
    """Hears of parts that apprise leaves out: it only warns of them."""

    heard = False

    def emit(self, record: logging.LogRecord) -> None:
        self.heard |= bool(_LEFT_OUT.search(record.getMessage()))


def main() -> None:
    question: AddressQuestion = json.load(sys.stdin)
    sys.stdout.write(json.dumps(asdict(_answer(question))))
    sys.stdout.flush()
    os._exit(0)  # apprise's threads have no say


def _answer(question: AddressQuestion) -> Acceptance:
    left_out = _LeftOut(logging.WARNING)
    logging.getLogger("apprise").addHandler(left_out)
    try:
        make = load_service(question["module"], question["url"])
        OfflineGuard().install()
        service = make()
    except NotAccepted as error:
        return Acceptance(refusal=str(error))
    if left_out.heard:
        return Acceptance(refusal="apprise does not accept a part of the address")
    return Acceptance(receivers=_receivers(question["module"], service))


def _receivers(module: str, service: Any) -> int:
    if module in _UNCOUNTED:
        return sum(len(getattr(service, name)) for name in _UNCOUNTED[module]) or 1
    repeated = int(service.retry) + 1  # which apprise counts, too
    return len(service) // repeated


if __name__ == "__main__":
    main()

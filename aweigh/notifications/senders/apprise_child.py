"""A process that sends one message and ends.

Apprise speaks to some 170 services, by blocking calls and with addresses that users write. In a
process of its own it can be bounded, and nothing else waits for it.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Final

from aweigh.core.private_target import PrivateTarget
from aweigh.notifications.senders.apprise_service import NotAccepted, load_service
from aweigh.notifications.senders.bounded_requests import Stop, bound_requests
from aweigh.notifications.senders.child_guard import Guard
from aweigh.notifications.senders.child_messages import Order, Report
from aweigh.notifications.senders.mail import send_mail

#: For all exchanges of a message, with the resolving of names; a mail itself has longer.
SECONDS: Final = 15.0


def main() -> None:
    order: Order = json.load(sys.stdin)
    report = Report()
    guard = Guard(map(PrivateTarget.parse, order["private"]))
    try:
        make: Callable[[], Any] | None = None
        if "module" in order:
            bound_requests(report, order["answered"])
            make = load_service(order["module"], order["url"])
        guard.install()
        signal.signal(signal.SIGALRM, _stop)
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        if make is not None:
            _notify(make(), order, report)
        elif "mail" in order:
            send_mail(order, order["mail"], report)
    except NotAccepted as error:
        report.message, report.is_final = f"{error}.", True
    except Stop:
        if report.status is None:
            report.message = f"{report.host or 'The receiver'} did not answer in time."
    report.refused = guard.refused
    sys.stdout.write(json.dumps(asdict(report)))
    sys.stdout.flush()
    os._exit(0)  # apprise's threads and its logging out of services have no say


def _stop(*_: object) -> None:
    raise Stop


def _notify(service: Any, order: Order, report: Report) -> None:
    options: dict[str, Any] = {}
    if order.get("is_rendered"):
        options = {"body_passthrough": True, "overflow": "upstream"}
    else:
        options = {"overflow": "truncate"}
    if order["module"] == "matrix.base":
        # The home server recognises a repetition by it.
        service.access_token, service.transaction_id = service.password, order["id"]
    try:
        report.accepted = bool(
            service.notify(
                title=order["title"], body=order["body"], body_format=order["format"],
                notify_type=order["tone"], **options,
            )
        )  # fmt: skip
    except Exception as error:  # noqa: BLE001 - it may come from any of 170 modules
        report.message = report.message or f"apprise failed ({type(error).__name__})."


if __name__ == "__main__":
    main()

"""A process that sends one message and ends.

Apprise speaks to some 170 services, by blocking calls and with addresses that users write. In a
process of its own it can be bounded, and nothing else waits for it.
"""

import importlib
import json
import os
import signal
import sys
from dataclasses import asdict
from typing import Any, Final

from aweigh.core.private_target import PrivateTarget
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
    service = _service(order, report) if "module" in order else None
    guard.install()
    signal.signal(signal.SIGALRM, _stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        if service is not None:
            _notify(service, order, report)
        elif "mail" in order:
            send_mail(order, order["mail"], report)
    except Stop:
        if report.status is None:
            report.message = f"{report.host or 'The receiver'} did not answer in time."
    report.refused = guard.refused
    sys.stdout.write(json.dumps(asdict(report)))
    sys.stdout.flush()
    os._exit(0)  # apprise's threads and its logging out of services have no say


def _stop(*_: object) -> None:
    raise Stop


def _service(order: Order, report: Report) -> Any:
    """Return apprise's object for the address; None if it takes no such address."""
    bound_requests(report, order["answered"])
    module = importlib.import_module(f"apprise.plugins.{order['module']}")
    from apprise import AppriseAsset
    from apprise.plugins.base import NotifyBase

    url = order["url"]
    schema = url.partition("://")[0].lower()
    asset = AppriseAsset(
        app_id="Aweigh", app_desc="Aweigh", app_url="https://github.com/aweigh-deploy/aweigh",
        http_redirects=False, storage_mode="memory", pgp_autogen=False, pem_autogen=False,
    )  # fmt: skip
    for one in vars(module).values():
        if isinstance(one, type) and issubclass(one, NotifyBase) and schema in _schemas(one):
            try:
                return one(**(one.parse_url(url) or {}), asset=asset)
            except (TypeError, ValueError, AttributeError, LookupError) as error:
                report.message = f"apprise does not accept the address ({type(error).__name__})."
                report.is_final = True
                return None
    report.message, report.is_final = f"apprise knows no {schema}:// any more.", True
    return None


def _schemas(service: Any) -> set[str]:
    found: set[str] = set()
    for given in (service.protocol, service.secure_protocol):
        found |= {given} if isinstance(given, str) else set(given or ())
    return found


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

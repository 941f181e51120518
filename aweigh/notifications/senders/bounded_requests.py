"""Requests of apprise, bounded: no redirects or proxies, TLS verified, 64 KB of an answer."""

import json
import signal
import ssl
from typing import Any, Final
from urllib.parse import urlsplit

import requests
import urllib3

from aweigh.notifications.senders.child_messages import MOST_SAID, Report
from aweigh.notifications.senders.connection_words import connection_words
from aweigh.notifications.senders.replies import reference

_MOST_READ: Final = 64 * 1024
#: For one address of the host, so that the next one is tried, and for each wait for the answer.
_CONNECTING: Final = 4.0
_READING: Final = 15.0
#: For what apprise makes of an answer that took up the time.
_FINISHING: Final = 3.0
_TOO_MANY: Final = 429


class Stop(BaseException):
    """Ends the sending at once; apprise would go on after an `Exception`."""


def bound_requests(report: Report, answered: str) -> None:
    """Have all requests of this process be bounded, and their answers reported.

    `answered`: to an earlier message, to which this one refers.
    """
    _Session.report, _Session.answered = report, answered
    requests.Session = requests.sessions.Session = _Session  # type: ignore[misc]


class _Session(requests.Session):
    #: Of the one message that this process sends.
    report: Report
    answered: str

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        options |= {
            "allow_redirects": False, "proxies": {}, "cert": None, "verify": _trusted(),
            "stream": True, "timeout": (_CONNECTING, _READING),
        }  # fmt: skip
        report = self.report
        if fields := reference(str(request.url), self.answered):
            request.prepare_body(None, None, json=json.loads(request.body or "{}") | fields)
        report.host = urlsplit(str(request.url)).hostname or ""
        report.status, report.body, report.message = None, "", None
        report.location, report.retry_after = "", None
        try:
            answer = super().send(request, **options)
            report.status = answer.status_code
            report.location = answer.headers.get("Location", "")[:MOST_SAID]
            report.retry_after = answer.headers.get("Retry-After")
        except (requests.RequestException, OSError) as error:
            report.message = connection_words(report.host, error)
            raise
        body = _read(answer)
        report.body = body[:MOST_SAID].decode(errors="replace")
        if answer.status_code == _TOO_MANY:
            raise Stop  # the workflow waits, not this process
        # What `requests` itself sets once a body is read: nothing reads on from the connection.
        answer._content, answer._content_consumed = body, True  # type: ignore[attr-defined]
        answer.close()
        return answer


def _read(answer: requests.Response) -> bytes:
    """Return what came of the body: the receiver has said with its status what became of it."""
    body = b""
    try:
        while len(body) < _MOST_READ:
            chunk = answer.raw.read1(_MOST_READ - len(body), decode_content=True)
            if not chunk:
                break
            body += chunk
    except Stop:
        signal.setitimer(signal.ITIMER_REAL, _FINISHING)
    except (urllib3.exceptions.HTTPError, OSError):
        pass
    return body


def _trusted() -> str | bool:
    """Return the machine's certificates, so that a private authority is trusted as elsewhere."""
    paths = ssl.get_default_verify_paths()
    return paths.cafile or paths.capath or True

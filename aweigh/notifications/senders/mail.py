"""Sends a mail, to all of its recipients or to none that would get it again.

Not by apprise, which sends one mail to each recipient: a failed one would be repeated for all.
"""

import signal
import smtplib
import socket
import ssl
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formataddr, formatdate, parseaddr
from typing import Final

from aweigh.notifications.senders.bounded_requests import Stop
from aweigh.notifications.senders.child_messages import MOST_SAID, Mail, Order, Report
from aweigh.notifications.senders.connection_words import connection_words

_SECONDS: Final = 15.0
#: For one address of the server, so that the next one is tried.
_CONNECTING: Final = 4.0
#: For the mail itself: a server may search it for viruses before it answers, and has taken it then.
SCANNING: Final = 60.0
#: Codes of servers that want other credentials: those may be corrected within the day.
_CREDENTIALS: Final = (530, 534, 535, 538)
_OK: Final = 250


def mail_message(order: Order, mail: Mail) -> EmailMessage:
    """Return the mail; those of one deployment refer to the same first one, so that they thread.

    Raises:
        ValueError: a header would have more than one line.
    """
    domain = parseaddr(mail["sender"])[1].rpartition("@")[2] or "aweigh.invalid"
    message = EmailMessage(policy=SMTP)
    message["From"] = formataddr(("Aweigh", parseaddr(mail["sender"])[1]))
    message["To"] = ", ".join(mail["to"])
    message["Subject"] = order["title"]
    message["Date"] = formatdate(localtime=False)
    message["Message-ID"] = f"<{order['id']}@{domain}>"
    if order["thread"]:
        root = f"<{order['thread']}@{domain}>"
        message["References"] = root
        message["In-Reply-To"] = root
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(order["body"])
    return message


def send_mail(order: Order, mail: Mail, report: Report) -> None:
    """Make one attempt, and write its outcome to the report."""
    report.host = mail["host"]
    try:
        message = mail_message(order, mail)
        with _connected(mail) as server:
            try:
                _deliver(server, mail, message, report)
            except Stop:
                server.close()  # else leaving it would wait for an answer to QUIT
                raise
    except smtplib.SMTPResponseException as error:
        _answered(report, error.smtp_code, error.smtp_error)
    except smtplib.SMTPNotSupportedError as error:
        report.message, report.is_final = f"{mail['host']} cannot do it: {error}.", True
    except OSError as error:  # also errors of TLS, and other ones of SMTP
        report.message = connection_words(mail["host"], error)
    except ValueError as error:
        report.message, report.is_final = f"The mail cannot be written: {error}.", True


class _Smtp(smtplib.SMTP):
    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        """Connect; the library would give each address the time that an answer may take."""
        connected = socket.create_connection((host, port), _CONNECTING)
        connected.settimeout(timeout)
        return connected


class _SmtpOverTls(smtplib.SMTP_SSL, _Smtp):
    """The library's own wraps the socket of the next class in TLS."""


def _connected(mail: Mail) -> smtplib.SMTP:
    trusted = ssl.create_default_context()
    name = parseaddr(mail["sender"])[1].rpartition("@")[2] or None
    host, port = mail["host"], mail["port"]
    server: smtplib.SMTP
    if mail["security"] == "tls":
        server = _SmtpOverTls(host, port, name, timeout=_SECONDS, context=trusted)
    else:
        server = _Smtp(host, port, name, timeout=_SECONDS)
        try:
            server.starttls(context=trusted)
        except BaseException:
            server.close()
            raise
    if mail["username"] and mail["password"]:
        server.login(mail["username"], mail["password"])
    return server


def _deliver(server: smtplib.SMTP, mail: Mail, message: EmailMessage, report: Report) -> None:
    """Hand over one mail for all recipients, unless one of them has to be asked again later."""
    server.ehlo_or_helo_if_needed()
    code, said = server.mail(parseaddr(mail["sender"])[1])
    if code != _OK:
        raise smtplib.SMTPResponseException(code, said)
    refused: list[str] = []
    for recipient in mail["to"]:
        code, said = server.rcpt(parseaddr(recipient)[1])
        if code // 100 == 4:
            raise smtplib.SMTPResponseException(code, said)
        if code // 100 != 2:
            refused.append(f"{recipient}: {code} {said.decode(errors='replace')}")
    if len(refused) == len(mail["to"]):
        raise smtplib.SMTPResponseException(code, said)
    _allow_scanning(server)
    code, said = server.data(message.as_bytes())
    if code != _OK:
        raise smtplib.SMTPResponseException(code, said)
    report.accepted, report.status = True, code
    report.body = said[:MOST_SAID].decode(errors="replace")
    if refused:
        report.message = f"Refused for {'; '.join(refused)}"[:MOST_SAID]


def _allow_scanning(server: smtplib.SMTP) -> None:
    signal.setitimer(signal.ITIMER_REAL, SCANNING)
    if server.sock is not None:
        server.sock.settimeout(None)  # the timer ends it


def _answered(report: Report, code: int, said: bytes | str) -> None:
    report.status = code if code > 0 else None
    text = said if isinstance(said, str) else said[:MOST_SAID].decode(errors="replace")
    report.body = text[:MOST_SAID]
    report.message = f"{report.host} answered {code} {report.body}"
    report.is_final = code // 100 == 5 and code not in _CREDENTIALS

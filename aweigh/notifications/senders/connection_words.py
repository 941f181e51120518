"""Why a receiver could not be reached, for people."""

import socket
import ssl
from collections.abc import Iterator


def connection_words(host: str, error: BaseException) -> str:
    """Describe an error that ended an exchange before its answer."""
    for cause in _causes(error):
        match cause:
            case ssl.SSLCertVerificationError():
                return f"The TLS certificate of {host} was rejected: {cause.verify_message}."
            case ssl.SSLError():
                return f"TLS with {host} failed: {cause.reason or 'no reason given'}."
            case socket.gaierror():
                return f"The host {host} cannot be resolved ({cause.strerror})."
            case UnicodeError():
                return f"The host {host} cannot be resolved (it is not a host name)."
            case ConnectionRefusedError():
                return f"{host} refuses connections."
            case ConnectionResetError() | BrokenPipeError():
                return f"{host} closed the connection without a complete answer."
            case TimeoutError():
                return f"{host} did not answer in time."
            case OSError() if cause.strerror:
                return f"{host} cannot be reached ({cause.strerror})."
    return f"{host} closed the connection without a complete answer."


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield what an error was raised from, the origin first."""
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return reversed(found)

"""Finds the process that listens on a port of this machine."""

import psutil


def holder_of(port: int, protocol: str = "tcp") -> str | None:
    """Return a description of the process that holds the port; None if the port is free."""
    for connection in psutil.net_connections(kind=protocol):
        listening = protocol == "udp" or connection.status == psutil.CONN_LISTEN
        if listening and connection.laddr and connection.laddr.port == port:
            return _process(connection.pid)
    return None


def _process(pid: int | None) -> str:
    if pid is None:
        return "a process of another user"
    try:
        return f"{psutil.Process(pid).name()} (pid {pid})"
    except psutil.Error:
        return f"pid {pid}"

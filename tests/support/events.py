"""Server-sent events, read by the letter of their standard."""


def events(text: str) -> list[dict[str, str]]:
    """What a browser would make of a stream; comments are none."""
    found: list[dict[str, str]] = []
    current: dict[str, str] = {}
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if not line:
            found += [current] if current else []
            current = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(":")
            current[name] = value.removeprefix(" ")
    return found

"""Writes build arguments into the Dockerfile that is built.

BuildKit's client accepts arguments only on its command line, which every user of a server can read.
An argument overrides the default of its `ARG`, so replacing the default has the same effect.
https://docs.docker.com/reference/dockerfile/#arg
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

_ESCAPE: Final = re.compile(r"\s*#\s*escape\s*=\s*([\\`])\s*", re.IGNORECASE)
_DIRECTIVE: Final = re.compile(r"\s*#\s*[A-Za-z][A-Za-z0-9]*\s*=.+")
_ARG: Final = re.compile(r"\s*ARG\s+", re.IGNORECASE)
_HEREDOC_TAKER: Final = re.compile(r"\s*(?:ONBUILD\s+)?(?:RUN|COPY|ADD)\s", re.IGNORECASE)
_HEREDOC: Final = re.compile(r"\d*<<(-?)([^<]+)")


@dataclass(frozen=True)
class FilledDockerfile:
    """A Dockerfile with its arguments filled in, and the names that no `ARG` declares."""

    text: str
    undeclared: tuple[str, ...]


def with_arguments(dockerfile: str, arguments: Mapping[str, str]) -> FilledDockerfile:
    """Return the Dockerfile with these arguments as defaults; every line keeps its number."""
    if not arguments:
        return FilledDockerfile(dockerfile, ())
    lines, declared = dockerfile.split("\n"), set[str]()
    escape = _escape(lines)
    for first, last in _instructions(lines, escape):
        if not (found := _ARG.match(lines[first])):
            continue
        logical = _joined(lines[first : last + 1], escape)[found.end() :]
        words = _words(logical, escape)
        given = {name for word in words if (name := _name(word)) in arguments}
        if given:
            declared |= given
            filled = (_filled(word, arguments) for word in words)
            lines[first : last + 1] = [f"ARG {' '.join(filled)}", *[""] * (last - first)]
    return FilledDockerfile("\n".join(lines), tuple(sorted(set(arguments) - declared)))


def _escape(lines: Sequence[str]) -> str:
    """Return the character that continues a line. Directives must come before everything else."""
    for line in lines:
        if found := _ESCAPE.fullmatch(line):
            return found[1]
        if not _DIRECTIVE.fullmatch(line):
            break
    return "\\"


def _instructions(lines: Sequence[str], escape: str) -> Iterator[tuple[int, int]]:
    """Yield first and last line of each instruction, skipping the bodies of heredocs."""
    number = 0
    while number < len(lines):
        if _is_between(lines[number]):
            number += 1
            continue
        first, last = number, _last_line(lines, number, escape)
        yield first, last
        number = last + 1
        if _HEREDOC_TAKER.match(lines[first]):
            logical = _joined(lines[first : last + 1], escape)
            number = _behind_heredocs(lines, number, _words(logical, escape))


def _is_between(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")


def _last_line(lines: Sequence[str], first: int, escape: str) -> int:
    last = first
    for number in range(first, len(lines)):
        if number > first and _is_between(lines[number]):
            continue  # comments and empty lines do not end a continued instruction
        last = number
        if not _goes_on(lines[number], escape):
            break
    return last


def _goes_on(line: str, escape: str) -> bool:
    """Whether the line continues: it ends in one escape character; two are a literal one."""
    text = line.rstrip()
    return text.endswith(escape) and not text.endswith(2 * escape)


def _joined(lines: Sequence[str], escape: str) -> str:
    own = [line for index, line in enumerate(lines) if index == 0 or not _is_between(line)]
    return " ".join(line.rstrip().removesuffix(escape) for line in own)


def _behind_heredocs(lines: Sequence[str], number: int, words: Sequence[str]) -> int:
    for word in words:
        if found := _HEREDOC.fullmatch(word):
            end = found[2].strip("\"'")
            while number < len(lines):
                line = lines[number].rstrip("\r")
                number += 1
                if (line.lstrip("\t") if found[1] else line) == end:
                    break
    return number


def _words(text: str, escape: str) -> list[str]:
    """Split the text at whitespace as a shell does, keeping the quotes."""
    words: list[str] = []
    word: list[str] = []
    quote, escaped = "", False
    for char in text:
        if char.isspace() and not quote and not escaped:
            if word:
                words.append("".join(word))
                word = []
            continue
        word.append(char)
        if escaped:
            escaped = False
        elif char == escape and quote != "'":
            escaped = True
        elif char == quote:
            quote = ""
        elif not quote and char in "\"'":
            quote = char
    return [*words, "".join(word)] if word else words


def _name(word: str) -> str:
    return word.partition("=")[0]


def _filled(word: str, arguments: Mapping[str, str]) -> str:
    """Return the word with its argument in single quotes, in which no character is special."""
    if (value := arguments.get(_name(word))) is None:
        return word
    return f"{_name(word)}='" + value.replace("'", "'\"'\"'") + "'"

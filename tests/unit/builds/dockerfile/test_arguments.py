"""Build arguments in a Dockerfile: what is a declaration, and what only looks like one."""

import pytest

from aweigh.builds.dockerfile.arguments import with_arguments

GIVEN = {"A": "new", "B": "it's $X", "a.b-c": "new"}


@pytest.mark.parametrize(
    ("line", "filled"),
    [
        ("ARG A", "ARG A='new'"),
        ("ARG A=old", "ARG A='new'"),
        ('  arg A="old words" C=$A', "ARG A='new' C=$A"),
        ("ARG B=1 A", """ARG B='it'"'"'s $X' A='new'"""),
        ("ARG a.b-c=1", "ARG a.b-c='new'"),
        ("ARG C=A", "ARG C=A"),
        ("ARG C", "ARG C"),
        ("ENV A=old", "ENV A=old"),
        ("# ARG A=old", "# ARG A=old"),
        ("ONBUILD ARG A=old", "ONBUILD ARG A=old"),
        ("RUN echo \\\nARG A=old", "RUN echo \\\nARG A=old"),
        ("RUN echo \\\n\n# comment\nARG A=old", "RUN echo \\\n\n# comment\nARG A=old"),
        ("RUN echo \\\\\nARG A=old", "RUN echo \\\\\nARG A='new'"),
        ("ARG C=1 \\\n  # why\n  A=old\nRUN x", "ARG C=1 A='new'\n\n\nRUN x"),
        ("RUN <<EOF\nARG A=old\nEOF\nARG A", "RUN <<EOF\nARG A=old\nEOF\nARG A='new'"),
        ("COPY <<-'E' <<F /\nARG A\n\tE\nARG A\nF\nARG A",
         "COPY <<-'E' <<F /\nARG A\n\tE\nARG A\nF\nARG A='new'"),
        ('RUN echo "a <<EOF"\nARG A', "RUN echo \"a <<EOF\"\nARG A='new'"),
        ("# escape=`\nRUN echo `\nARG A\nARG A", "# escape=`\nRUN echo `\nARG A\nARG A='new'"),
        ("# syntax=x\n# escape=`\nARG C=\\\nARG A",
         "# syntax=x\n# escape=`\nARG C=\\\nARG A='new'"),
    ],
)  # fmt: skip
def test_the_default_that_an_arg_declares_is_replaced(line: str, filled: str) -> None:
    assert with_arguments(line, GIVEN).text == filled


def test_every_line_keeps_its_number() -> None:
    text = "ARG A=1 \\\n B=2\nFROM a\nRUN <<E\nx\nE\nARG \\\n A\nRUN last\n"

    filled = with_arguments(text, GIVEN).text

    assert filled.split("\n").index("RUN last") == text.split("\n").index("RUN last")


def test_arguments_that_nothing_declares_are_named() -> None:
    assert with_arguments("FROM a\nARG A\n", {"A": "1", "Z": "2"}).undeclared == ("Z",)


def test_without_arguments_nothing_changes() -> None:
    text = "ARG A=1 \\\n B\r\nFROM a"

    assert with_arguments(text, {}).text == text

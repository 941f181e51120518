"""Identifies the engine objects that belong to one installation."""

from dataclasses import dataclass

from aweigh.engine.naming import Names


@dataclass(frozen=True)
class Installation:
    """An installation's id, which labels its engine objects, and their names."""

    instance: str
    names: Names

"""How the objects of one installation on an engine are told from those of others."""

from dataclasses import dataclass

from aweigh.containers.naming import Names


@dataclass(frozen=True)
class Installation:
    """The id that labels an installation's containers, networks and volumes, and their names."""

    instance: str
    names: Names

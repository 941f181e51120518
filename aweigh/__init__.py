"""The shared core: what Aweigh is about, and the outside world it talks to."""

from importlib.metadata import version

__version__ = version("aweigh")

"""Where adapters find it; steps, which workflows import, take it from the core."""

from aweigh.threads import in_thread

__all__ = ["in_thread"]

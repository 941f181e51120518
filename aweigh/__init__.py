"""The shared core: what Aweigh is about, and the outside world it talks to."""

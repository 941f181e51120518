"""`aweigh down`: stop what is left of the local stack; with --purge, remove everything."""


def down(*, purge: bool, yes: bool) -> None:
    raise NotImplementedError

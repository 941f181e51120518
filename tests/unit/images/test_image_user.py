"""Whom an image runs as."""

import pytest

from aweigh.images.user import ImageUser, owner_of, runs_as_root

PASSWD = (
    "root:x:0:0::/root:/bin/sh\nbroken\napp:x:1234:5678::/:\n# x:y\n"
    "bad:x:one:two::/:\n77:x:8:9::/:\n"
)
GROUP = "root:x:0:\nstaff:x:50:app,other\nbad:x:y:\n"
FILES = {"/etc/passwd": PASSWD, "/etc/group": GROUP}


@pytest.mark.parametrize(
    ("user", "owner"),
    [
        ("1000", ImageUser(1000, 0)),
        ("1000:1001", ImageUser(1000, 1001)),
        ("1234", ImageUser(1234, 5678)),
        ("app", ImageUser(1234, 5678)),
        ("app:staff", ImageUser(1234, 50)),
        ("app:77", ImageUser(1234, 77)),
        ("1000:staff", ImageUser(1000, 50)),
        ("77", ImageUser(8, 9)),  # a name first, as the engine reads it
        ("nobody", None),
        ("bad", None),
        ("app:nobody", None),
        ("app:bad", None),
    ],
)
def test_a_user_is_read_from_the_images_own_files(user: str, owner: ImageUser | None) -> None:
    assert owner_of(user, lambda path: FILES[path]) == owner


@pytest.mark.parametrize(("user", "owner"), [("1000", ImageUser(1000, 0)), ("app", None)])
def test_without_files_only_a_number_is_somebody(user: str, owner: ImageUser | None) -> None:
    assert owner_of(user, lambda path: "") == owner


@pytest.mark.parametrize(
    ("user", "root"),
    [("", True), ("0", True), ("root", True), ("0:0", True), ("root:app", True), ("1", False)],
)
def test_root_writes_anywhere(user: str, root: bool) -> None:
    assert runs_as_root(user) is root

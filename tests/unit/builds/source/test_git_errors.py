"""What git says when a server throws back what it was shown."""

import base64

import pytest

from aweigh.builds.source.git_errors import git_error
from aweigh.deployments.source import GitSource

FATAL = "fatal: unable to access 'https://git.example/a/b/': The requested URL returned error: 403"


@pytest.mark.parametrize("token", ["abc" * 120, "".join(f"{number}-key-" for number in range(40))])
@pytest.mark.parametrize("width", [19, 60, 76])
@pytest.mark.parametrize("prefix", ["remote: ", "remote:   | "])
def test_a_wrapped_token_is_hidden_in_the_error(token: str, width: int, prefix: str) -> None:
    source = GitSource.model_validate(
        {"type": "git", "repository": "https://git.example/a/b",
         "credentials": {"type": "token", "token": token}}
    )  # fmt: skip
    printed = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    lines = [f"{prefix}{printed[at : at + width]}" for at in range(0, len(printed), width)]

    message = git_error(["remote: denied", *lines, FATAL], source).message

    secret = printed[24:]
    assert [at for at in range(len(secret) - 12) if secret[at : at + 12] in message] == []

"""Git repositories as a source."""

import subprocess
import tempfile

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from aweigh.deployments.repository import (
    DeployKey,
    fetch_address,
    is_commit,
    is_ref,
    names_of,
    owner_of,
    repository_key,
    repository_url,
)
from aweigh.deployments.source import GitSource
from tests.support.keys import deploy_key

KEY = deploy_key()
DEPLOY_KEY = {"type": "deploy_key", "private_key": KEY, "known_hosts": "a.example ssh-ed25519 A"}
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("https://github.com/acme/shop", "https://github.com/acme/shop"),
        ("https://github.com/acme/shop.git/", "https://github.com/acme/shop.git"),
        ("https://git.example.com:8443/a/b/c.git", "https://git.example.com:8443/a/b/c.git"),
        ("git@github.com:acme/shop.git", "ssh://git@github.com/acme/shop.git"),
        ("ssh://github.com/acme/shop.git", "ssh://git@github.com/acme/shop.git"),
        ("ssh://deploy@git.example.com:2222/shop", "ssh://deploy@git.example.com:2222/shop"),
        ("http://127.0.0.1:3000/shop.git", "http://127.0.0.1:3000/shop.git"),
        ("https://github.com:443/acme/shop", "https://github.com/acme/shop"),
        ("https://www.github.com/acme/shop", "https://github.com/acme/shop"),
        ("ssh://git@git.example.com:22/shop", "ssh://git@git.example.com/shop"),
        ("ssh://git@ssh.github.com:443/acme/shop", "ssh://git@ssh.github.com:443/acme/shop"),
        ("git@git.example.com:/srv/shop.git", "ssh://git@git.example.com/srv/shop.git"),
        ("me@git.example.com:repos/shop.git", "ssh://me@git.example.com/~/repos/shop.git"),
        ("me@git.example.com:~/repos/shop", "ssh://me@git.example.com/~/repos/shop"),
        ("https://me@bitbucket.org/acme/shop.git", "https://bitbucket.org/acme/shop.git"),
        ("https://github.com./acme/shop", "https://github.com/acme/shop"),
        ("git@github.com.:acme/shop", "ssh://git@github.com/acme/shop"),
        (" https://github.com/acme/shop\n", "https://github.com/acme/shop"),
        ("me@git.example.com:~you/shop", "ssh://me@git.example.com/~you/shop"),
        ("https://dev.azure.com/a/My%20Shop/_git/b", "https://dev.azure.com/a/My%20Shop/_git/b"),
        ("https://git.example.com/caf\u00e9/a", "https://git.example.com/caf%C3%A9/a"),
        ("https://git.example.com/caf%c3%a9/%61", "https://git.example.com/caf%C3%A9/a"),
        ("git@git.example.com:/srv/my shop", "ssh://git@git.example.com/srv/my%20shop"),
    ],
)
def test_an_address_is_stored_in_one_form(text: str, stored: str) -> None:
    assert repository_url(text) == stored


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("http://github.com/acme/shop", "https:// or ssh://"),
        ("http://127.0.0.1.example.com/x", "https:// or ssh://"),
        ("file:///etc", "https:// or ssh://"),
        ("ext::sh -c touch% /tmp/x", "https:// or ssh://"),
        ("/etc/passwd", "https:// or ssh://"),
        ("--upload-pack=touch", "https:// or ssh://"),
        ("https://user:secret@github.com/acme/shop", "credentials"),
        ("https://ghp_0123456789@github.com/acme/shop", "credentials"),
        ("https://ATBB0123456789@bitbucket.org/acme/shop", "credentials"),
        (f"https://{'a1' * 20}@github.com/acme/shop", "credentials"),
        ("https://me:@github.com/acme/shop", "credentials"),
        ("ssh://git:secret@github.com/acme/shop", "credentials"),
        ("ssh://-oProxyCommand=x/acme", "is not the address"),
        ("ssh://-o@github.com/acme", "invalid user"),
        ("git@-oProxyCommand=x:acme/shop", "is not the address"),
        ("https://github.com/acme/shop?x=1", "is not the address"),
        ("https://github.com/acme/shop#main", "is not the address"),
        ("https://github.com/", "repository path"),
        ("https://github.com/a/../../b", "repository path"),
        ("https://github.com/a b", "repository path"),
        ("https://github.com/a/%2e%2e/b", "repository path"),
        ("https://github.com/a%2fb", "repository path"),
        ("https://github.com/a%0ab", "repository path"),
        ("https://github.com/a%ff", "repository path"),
        ("https://github.com/a%24%28id%29", "repository path"),
        ("https://github.com/a%2520b", "repository path"),
        ("git@git.example.com:a%20b", "repository path"),
        ("https://github.com:99999/a", "port"),
        ("https://github.com/$(id)", "repository path"),
        ("git@git.example.com:../shop", "repository path"),
        ("git@git.example.com:~/../shop", "repository path"),
        ("git@git.example.com:", "https:// or ssh://"),
    ],
)
def test_what_could_lead_elsewhere_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        repository_url(text)


@pytest.mark.parametrize(
    ("stored", "given"),
    [
        ("ssh://me@git.example.com/~/repos/shop.git", "me@git.example.com:repos/shop.git"),
        ("ssh://me@git.example.com:2222/~/shop.git", "ssh://me@git.example.com:2222/~/shop.git"),
        ("ssh://git@git.example.com/srv/shop.git", "ssh://git@git.example.com/srv/shop.git"),
        ("https://git.example.com/~/shop.git", "https://git.example.com/~/shop.git"),
        ("ssh://me@git.example.com/~/my%20shop", "me@git.example.com:my shop"),
    ],
)
def test_git_is_given_a_relative_path_as_one(stored: str, given: str) -> None:
    assert fetch_address(stored) == given
    assert repository_url(given) == stored


@pytest.mark.parametrize("written", [
    "https://github.com/acme/shop", "https://github.com/Acme/Shop.git/", "git@github.com:acme/shop",
    "https://github.com:443/acme/shop", "https://www.github.com/acme/shop.git",
    "ssh://git@ssh.github.com:443/acme/shop.git", "ssh://git@github.com:22/acme/shop.git",
    "git@ssh.github.com:acme/shop.git",
])  # fmt: skip
def test_a_repository_at_github_has_one_key(written: str) -> None:
    delivered = "https://github.com/acme/shop.git"

    assert repository_key(repository_url(written)) == repository_key(delivered)


def test_a_repository_over_ssh_has_the_key_of_the_one_over_https() -> None:
    assert repository_key(repository_url("git@git.example.com:a/b.git")) == repository_key(
        "https://git.example.com/a/b.git"
    )
    assert repository_key("https://git.example.com/a%20b") == repository_key(
        repository_url("git@git.example.com:a b.git")
    )
    assert repository_key("https://git.example.com:8443/a/b") != repository_key(
        "https://git.example.com/a/b"
    )


_NAMES = st.text(
    st.sampled_from("ab/.-_@{}[]()#&!$%'\"`;<>|,=+~^:?*\\ \t\x7f\x01é日😀\u202e")
    | st.characters(codec="utf-8", exclude_characters="\0"),
    min_size=1, max_size=12,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(_NAMES | _NAMES.map("a.lock".__add__) | st.builds("{}/{}".format, _NAMES, _NAMES))
@example("#123-fix")
@example("a@{1}")
@example("@")
@example("HEAD")
@example("-x")
@example("a[b")
@example("a]b(c){d}&e")
@example("x.lock/y")
def test_a_branch_is_what_git_takes_for_one(name: str) -> None:
    command = ["git", "check-ref-format", "--branch", name]
    with tempfile.TemporaryDirectory() as nowhere:  # in a repository, @{-1} is a branch
        taken = subprocess.run(command, cwd=nowhere, capture_output=True, check=False)

    assert is_ref(name) == (taken.returncode == 0)


@pytest.mark.parametrize("ref", [
    "main", "v1.2.3", "feature/x-1", "release@2", COMMIT, "#123-fix", "日本語", "fix(ui)&{x]",
])  # fmt: skip
def test_branches_and_tags_are_refs(ref: str) -> None:
    assert is_ref(ref)


@pytest.mark.parametrize(
    "ref",
    ["", "-x", "a..b", "a b", "a/", "/a", "a//b", "a.lock", "a/.b", "a@{1}", "a^", "a:b", "a\n",
     "~a", "*", "x" * 251, ".a", "\ud800"],
)  # fmt: skip
def test_what_git_reads_otherwise_is_no_ref(ref: str) -> None:
    assert not is_ref(ref)


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        (COMMIT, True),
        (COMMIT[:12], False),
        (COMMIT.upper(), False),
        ("", False),
        ("0" * 64, True),
        ("0" * 63, False),
        ("0" * 41, False),
    ],
)
def test_only_a_full_commit_id_is_one(text: str, whole: bool) -> None:
    assert is_commit(text) is whole


@pytest.mark.parametrize(
    ("repository", "credentials", "fits"),
    [
        ("https://a.example/x", {"type": "token", "token": "geheim"}, True),
        ("git@a.example:x", {"type": "token", "token": "geheim"}, False),
        ("git@a.example:x", DEPLOY_KEY, True),
        ("https://a.example/x", DEPLOY_KEY, False),
    ],
)  # fmt: skip
def test_credentials_fit_the_way_to_the_repository(
    repository: str, credentials: dict[str, str], fits: bool
) -> None:
    def source() -> GitSource:
        return GitSource.model_validate({"repository": repository, "credentials": credentials})

    if fits:
        assert (credentials.get("token") or credentials["private_key"]) in source().secrets
    else:
        with pytest.raises(ValidationError, match="a deploy_key is for ssh"):
            source()


def test_a_deploy_key_is_kept_as_ssh_reads_it() -> None:
    pasted = KEY.replace("\n", " ")

    found = DeployKey.model_validate(DEPLOY_KEY | {"private_key": pasted})

    assert found.secret.splitlines()[0] == KEY.splitlines()[0]


@pytest.mark.parametrize("key", ["", "ssh-ed25519 AAAA me@here", "-----BEGIN CERTIFICATE-----\nA"])
def test_what_is_no_private_key_is_refused(key: str) -> None:
    with pytest.raises(ValidationError) as caught:
        DeployKey.model_validate(DEPLOY_KEY | {"private_key": key})
    assert "AAAA" not in str(caught.value)


@pytest.mark.parametrize(
    ("ref", "names"),
    [
        (None, ("refs/heads/main",)),
        ("v1", ("refs/tags/v1^{}", "refs/tags/v1", "refs/heads/v1")),
        ("refs/tags/v1", ("refs/tags/v1^{}", "refs/tags/v1")),
        ("refs/heads/x/y", ("refs/heads/x/y^{}", "refs/heads/x/y")),
    ],
)
def test_a_name_is_looked_for_as_a_tag_first_and_the_branch_as_nothing_else(
    ref: str | None, names: tuple[str, ...]
) -> None:
    assert names_of(ref, "main") == names


@pytest.mark.parametrize(
    ("repository", "owner"),
    [
        ("https://github.com/acme/shop", "https://github.com/acme/"),
        ("https://gitlab.com/acme/web/shop.git", "https://gitlab.com/acme/web/"),
        ("ssh://git@git.example.com:2222/shop", "ssh://git@git.example.com:2222/"),
    ],
)
def test_an_owner_is_what_stands_before_the_last_name(repository: str, owner: str) -> None:
    assert owner_of(repository) == owner


def test_a_token_is_hidden_as_it_stands_in_a_header_too() -> None:
    token = {"type": "token", "username": "me", "token": "geheim"}
    given = {"repository": "https://a.example/x", "credentials": token}

    assert GitSource.model_validate(given).secrets == ["geheim", "bWU6Z2VoZWlt"]

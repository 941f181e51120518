"""The settings of an application: what is refused, and which field is named."""

from typing import Any

import pytest
from dirty_equals import IsStr
from pydantic import ValidationError

from aweigh.deployments.application import ApplicationSettings
from tests.support.installation import settings_of
from tests.support.refusals import refusals

DATA = {"source": "data", "target": "/data"}
WEB = {"host": 8080, "container": 80}


def test_what_is_left_out_has_its_default() -> None:
    settings = ApplicationSettings.model_validate({"source": {"image": "acme/shop"}})

    assert settings.model_dump(mode="json") == {
        "source": {
            "type": "image", "image": "acme/shop", "tag": None, "pull": "if_missing",
            "registry": None,
        },
        "env": {}, "labels": {}, "networks": [], "domains": [], "port": None, "ports": [],
        "capabilities": [],
        "volumes": [], "health_check": None, "replicas": 1,
        "resources": {"cpus": None, "memory": None}, "command": None, "entrypoint": None,
        "release_command": None, "stop_grace": 10, "drain": 30, "restart": "unless-stopped",
        "strategy": "auto", "policy": "supersede",
        "keep_deployments": {"count": 200, "days": 365},
        "notify": True,
    }  # fmt: skip


def test_everything_that_can_be_set_is_kept() -> None:
    given: dict[str, Any] = {
        "source": {
            "type": "image", "image": "ghcr.io/acme/shop", "tag": "v2", "pull": "always",
            "registry": {"username": "ci", "password": "geheim"},
        },
        "env": {"KEY": "value", "_a1": ""}, "labels": {"team": "a", "com.example/x": "y"},
        "networks": ["backend"],
        "domains": [{"host": "shop.example.com", "path": "/api", "tls": False}], "port": 8000,
        "ports": [{"host": 53, "container": 53, "protocol": "udp"}], "capabilities": ["NET_RAW"],
        "volumes": [{"source": "/srv", "target": "/data", "read_only": True, "exclusive": False}],
        "health_check": {
            "type": "http", "path": "/up", "status": 204, "port": 81, "seconds": 9, "deadline": 7,
        },
        "replicas": 1, "resources": {"cpus": 0.5, "memory": "512m"}, "command": ["serve"],
        "entrypoint": ["/bin/sh"], "release_command": ["migrate"], "stop_grace": 0, "drain": 0,
        "restart": "always", "strategy": "recreate", "policy": "queue",
        "keep_deployments": {"count": 20, "days": 30},
        "notify": False,
    }  # fmt: skip

    settings = ApplicationSettings.model_validate(given)

    assert settings.model_dump(mode="json", context={"reveal": True}) == given


@pytest.mark.parametrize("key", ["name", "sourcee", "Env"])
def test_an_unknown_field_is_refused(key: str) -> None:
    assert refusals(**{key: {}}) == {key: "Extra inputs are not permitted"}


def test_settings_never_change() -> None:
    settings = settings_of()

    with pytest.raises(ValidationError, match="frozen"):
        settings.replicas = 2


@pytest.mark.parametrize(
    ("source", "field", "message"),
    [
        ({"image": "Shop"}, "source.image", "'Shop' is not an image repository"),
        ({"image": "acme/shop:v1"}, "source.image", "contains a tag; set it as `tag`"),
        ({"image": "acme/shop@sha256:abc"}, "source.image", IsStr(regex=".*is not a digest.*")),
        ({"image": "a", "tag": "v 1"}, "source.tag", IsStr(regex="is not an image tag.*")),
        ({"image": "a", "tag": ""}, "source.tag", IsStr(regex="is not an image tag.*")),
        ({"image": f"a@sha256:{'a' * 64}", "tag": "v1"}, "source.tag",
         "the image has a digest, so a tag is not allowed"),
        ({}, "source.image", "Field required"),
        ({"type": "svn", "image": "a"}, "source", "type is neither image nor git"),
        ({"image": "a", "pull": "sometimes"}, "source.pull", IsStr(regex="Input should be.*")),
        ({"image": "a", "registry": {"username": "", "password": "x"}},
         "source.registry.username", IsStr(regex=".*at least 1 character")),
        ({"image": "a", "registry": {"username": "ci"}}, "source.registry.password",
         "Field required"),
    ],
)  # fmt: skip
def test_a_wrong_source_is_named(source: dict[str, Any], field: str, message: str) -> None:
    assert refusals(source=source) == {field: message}


@pytest.mark.parametrize("name", ["", "A=B", "=", "A\0B", "\ud800", "A" * 256])
def test_a_wrong_variable_name_is_named(name: str) -> None:
    [(field, why)] = refusals(env={name: "x"}).items()

    assert field == "env"
    assert why.startswith(f"{name[:100]!r} is not an environment variable name: ")


@pytest.mark.parametrize(
    "name", ["discovery.type", "A-B", "1A", "A B", "Ä", "a/b", "..", "-", "%", "A\nB", "A" * 255]
)
def test_any_name_that_a_process_takes_names_a_variable(name: str) -> None:
    assert set(settings_of(env={name: "x"}).env) == {name}


@pytest.mark.parametrize("value", ["a\0b", "\ud800"])
@pytest.mark.parametrize(
    ("fields", "where"),
    [
        (lambda value: {"env": {"GOOD": "x", "KEY": value}}, "env.KEY"),
        (lambda value: {"labels": {"team": value}}, "labels.team"),
        (lambda value: {"command": ["a", value]}, "command.1"),
        (lambda value: {"entrypoint": [value]}, "entrypoint.0"),
        (lambda value: {"release_command": [value]}, "release_command.0"),
        (lambda value: {"source": {"image": "a", "registry": {"username": "a", "password": value}}},
         "source.registry.password"),
    ],
)  # fmt: skip
def test_text_that_nothing_takes_is_named(fields: Any, where: str, value: str) -> None:
    assert refusals(**fields(value)) == {where: "contains a NUL character or a lone surrogate"}


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("aweigh.instance", "'aweigh.instance': the label prefixes aweigh. and traefik. are"),
        ("traefik.enable", "'traefik.enable': the label prefixes aweigh. and traefik. are"),
        ("Traefik.enable", "'Traefik.enable' is not a label key"),
        ("", "'' is not a label key"),
        ("a b", "'a b' is not a label key"),
        ("-a", "'-a' is not a label key"),
        ("a.", "'a.' is not a label key"),
        ("a=b", "'a=b' is not a label key"),
        ("a\n", "'a\\\\n' is not a label key"),
    ],
)
def test_a_wrong_label_is_named(key: str, message: str) -> None:
    assert refusals(labels={key: "x"}) == {"labels": IsStr(regex=f"{message}.*")}


@pytest.mark.parametrize("name", ["", "Back", "-a", "a b", "a" * 41, "a/b", "a\n"])
def test_a_wrong_network_is_named(name: str) -> None:
    assert refusals(networks=["good", name]) == {"networks": f"{name!r} is not a network name"}


@pytest.mark.parametrize(
    ("volume", "field", "message"),
    [
        ({"source": "a b"}, "volumes.0.source", "is neither an absolute path nor a volume name"),
        ({"source": ""}, "volumes.0.source", "is neither an absolute path nor a volume name"),
        ({"source": "_a"}, "volumes.0.source", "is neither an absolute path nor a volume name"),
        ({"source": "../a"}, "volumes.0.source", "is neither an absolute path nor a volume name"),
        ({"source": "/a/../b"}, "volumes.0.source", IsStr(regex="must be an absolute path.*")),
        ({"source": "//a"}, "volumes.0.source", IsStr(regex="must be an absolute path.*")),
        ({"target": "data"}, "volumes.0.target", IsStr(regex="must be an absolute path.*")),
        ({"target": "/a/../b"}, "volumes.0.target", IsStr(regex="must be an absolute path.*")),
        ({"target": "/a:b"}, "volumes.0.target", IsStr(regex="must be an absolute path.*")),
        ({"target": "/a//"}, "volumes.0.target", IsStr(regex="must be an absolute path.*")),
        ({"target": "/"}, "volumes.0.target",
         "the container's root cannot be a mount target"),
    ],
)  # fmt: skip
def test_a_wrong_volume_is_named(volume: dict[str, str], field: str, message: str) -> None:
    assert refusals(volumes=[DATA | volume]) == {field: message}


def test_a_mount_path_is_kept_in_one_spelling() -> None:
    (volume,) = settings_of(volumes=[{"source": "/srv/a/", "target": "/data/"}]).volumes

    assert (volume.source, volume.target, volume.is_bind) == ("/srv/a", "/data", True)


@pytest.mark.parametrize(
    ("field", "entries"),
    [
        ("networks", ["a", "b", "a"]),
        ("domains", [{"host": "a.b"}, {"host": "c.d"}, {"host": "a.b", "path": "/", "tls": False}]),
        (
            "domains",
            [{"host": "a.b", "path": "/x"}, {"host": "c.d"}, {"host": "A.b.", "path": "/x/"}],
        ),
        ("ports", [WEB, WEB | {"host": 81}, WEB | {"container": 8000}]),
        ("volumes", [DATA, DATA | {"target": "/b"}, DATA | {"source": "x"}]),
        ("volumes", [DATA, DATA | {"target": "/b"}, DATA | {"target": "/data/"}]),
    ],
)
def test_an_entry_that_is_given_twice_is_named(field: str, entries: list[Any]) -> None:
    assert refusals(**{field: entries}) == {field: "the same entry is given twice (0 and 2)"}


def test_entries_that_differ_in_path_or_protocol_are_not_the_same() -> None:
    settings = settings_of(
        domains=[{"host": "a.b"}, {"host": "a.b", "path": "/x"}],
        ports=[WEB, WEB | {"protocol": "udp"}],
    )

    assert (len(settings.domains), len(settings.ports)) == (2, 2)


@pytest.mark.parametrize("field", ["port", "ports.0.host", "ports.0.container"])
@pytest.mark.parametrize("number", [0, -1, 65536])
def test_a_wrong_port_is_named(field: str, number: int) -> None:
    name = field.rpartition(".")[2]
    fields = {"port": number} if field == "port" else {"ports": [WEB | {name: number}]}

    assert refusals(**fields) == {field: IsStr(regex="Input should be (less|greater) than.*")}


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        ({"replicas": 2, "ports": [WEB]}, "replicas",
         "a host port leads to one container only: set 1, or give no `ports`"),
        ({"replicas": 2, "volumes": [DATA | {"exclusive": True}]}, "replicas",
         "an exclusive volume allows one replica only"),
        ({"replicas": 0}, "replicas", IsStr(regex="Input should be greater.*")),
        ({"replicas": 51}, "replicas", IsStr(regex="Input should be less.*")),
        ({"strategy": "rolling", "ports": [WEB]}, "strategy",
         "two releases cannot share a host port; use recreate"),
        ({"strategy": "rolling", "volumes": [DATA | {"exclusive": True}]}, "strategy",
         "two releases cannot share an exclusive volume; use recreate"),
        ({"strategy": "blue"}, "strategy", IsStr(regex="Input should be.*")),
        ({"policy": "drop"}, "policy", IsStr(regex="Input should be.*")),
        ({"keep_deployments": {"count": 0}}, "keep_deployments.count",
         IsStr(regex="Input should be greater.*")),
        ({"keep_deployments": {"days": 36_501}}, "keep_deployments.days",
         IsStr(regex="Input should be less.*")),
        ({"keep_deployments": {"weeks": 1}}, "keep_deployments.weeks",
         "Extra inputs are not permitted"),
        ({"restart": "sometimes"}, "restart", IsStr(regex="Input should be.*")),
        ({"stop_grace": -1}, "stop_grace", IsStr(regex="Input should be greater.*")),
        ({"drain": 3601}, "drain", IsStr(regex="Input should be less.*")),
        ({"command": "serve --all"}, "command", "Input should be a valid tuple"),
        ({"resources": {"cpus": 0}}, "resources.cpus", IsStr(regex="Input should be greater.*")),
        ({"resources": {"cpus": 0.009}}, "resources.cpus", IsStr(regex="Input should be gr.*")),
        ({"resources": {"cpus": float("nan")}}, "resources.cpus", IsStr(regex="Input should.*")),
        ({"resources": {"memory": "5m"}}, "resources.memory",
         "is below the engine's smallest limit, 6m"),
        ({"resources": {"memory": "6143k"}}, "resources.memory",
         "is below the engine's smallest limit, 6m"),
        ({"resources": {"memory": "512"}}, "resources.memory",
         "is below the engine's smallest limit, 6m"),
        ({"resources": {"memory": "512x"}}, "resources.memory",
         "is not an amount of memory, such as 512m, 2g or 1.5Gi"),
        ({"health_check": {"type": "magic"}}, "health_check.type", IsStr(regex="Input should.*")),
        ({"health_check": {"type": "http", "path": "up"}}, "health_check.path",
         "is not a path: it begins with '/', without a query"),
        ({"health_check": {"type": "http", "path": "/up?x=`"}}, "health_check.path",
         "is not a path: it begins with '/', without a query"),
        ({"health_check": {"type": "http", "status": 99}}, "health_check.status",
         IsStr(regex="Input should be greater.*")),
        ({"health_check": {"type": "tcp", "deadline": 0}}, "health_check.deadline",
         IsStr(regex="Input should be greater.*")),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named(fields: dict[str, Any], field: str, message: str) -> None:
    assert refusals(**fields) == {field: message}

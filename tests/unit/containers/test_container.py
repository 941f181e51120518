"""What the engine is told about a container."""

from dataclasses import asdict
from typing import Any

import pytest
from inline_snapshot import snapshot

from aweigh.deployments.application import Port
from aweigh.engine.container_spec import ContainerSpec
from aweigh.images.facts import ImageFacts
from tests.support.specs import IMAGE, release_command, replica


def test_a_plain_replica() -> None:
    assert asdict(replica()) == snapshot(
        {
            "name": "aweigh-shop-7-1",
            "image": "sha256:1",
            "labels": {
                "traefik.enable": "false",
                "aweigh.instance": "0123456789abcdef",
                "aweigh.application": "app_1",
                "aweigh.deployment": "dep_1",
                "aweigh.sequence": "7",
                "aweigh.replica": "1",
                "aweigh.role": "replica",
                "aweigh.restart": "unless-stopped",
            },
            "env": {"PORT": "8000"},
            "command": None,
            "entrypoint": None,
            "network": "aweigh.application-shop",
            "address": "10.201.1.0",
            "networks": {},
            "mounts": (),
            "ports": (),
            "cpus": None,
            "memory_bytes": None,
            "restart": "unless-stopped",
            "stop_grace": 10,
            "user": "",
            "pids": None,
            "dropped": ("MKNOD", "NET_RAW"),
            "confined": False,
            "log_bytes": None,
            "nests": False,
        }
    )


def test_a_replica_with_everything() -> None:
    spec = replica(
        env={"TOKEN": "geheim", "PORT": "9000"}, labels={"team": "a"}, networks=["backend"],
        volumes=[{"source": "data", "target": "/data"},
                 {"source": "/srv", "target": "/srv", "read_only": True}],
        ports=[{"host": 8080, "container": 80}], command=["serve"], entrypoint=["/bin/sh", "-c"],
        resources={"cpus": 0.5, "memory": "512m"}, stop_grace=3, restart="always",
    )  # fmt: skip

    assert asdict(spec) == snapshot(
        {
            "name": "aweigh-shop-7-1",
            "image": "sha256:1",
            "labels": {
                "team": "a",
                "traefik.enable": "false",
                "aweigh.instance": "0123456789abcdef",
                "aweigh.application": "app_1",
                "aweigh.deployment": "dep_1",
                "aweigh.sequence": "7",
                "aweigh.replica": "1",
                "aweigh.role": "replica",
                "aweigh.restart": "always",
            },
            "env": {"PORT": "9000", "TOKEN": "geheim"},
            "command": ("serve",),
            "entrypoint": ("/bin/sh", "-c"),
            "network": "aweigh.application-shop",
            "address": "10.201.1.0",
            "networks": {"aweigh-backend": "shop"},
            "mounts": (
                {
                    "source": "aweigh-shop_data",
                    "target": "/data",
                    "read_only": False,
                    "no_copy": False,
                },
                {"source": "/srv", "target": "/srv", "read_only": True, "no_copy": False},
            ),
            "ports": (Port(host=8080, container=80),),
            "cpus": 0.5,
            "memory_bytes": 536870912,
            "restart": "always",
            "stop_grace": 3,
            "user": "",
            "pids": None,
            "dropped": ("MKNOD", "NET_RAW"),
            "confined": False,
            "log_bytes": None,
            "nests": False,
        }
    )


def test_a_release_command_has_no_address_and_does_not_answer_to_the_slug() -> None:
    spec = release_command(
        release_command=["migrate", "--all"], env={"TOKEN": "geheim"}, networks=["backend"],
        volumes=[{"source": "data", "target": "/data"}], domains=[{"host": "a.b"}],
        ports=[{"host": 8080, "container": 80}], resources={"memory": "512m"},
    )  # fmt: skip

    assert asdict(spec) == snapshot(
        {
            "name": "aweigh-shop-7-release",
            "image": "sha256:1",
            "labels": {
                "aweigh.instance": "0123456789abcdef",
                "aweigh.application": "app_1",
                "aweigh.deployment": "dep_1",
                "aweigh.sequence": "7",
                "aweigh.role": "release",
                "traefik.enable": "false",
            },
            "env": {"TOKEN": "geheim"},
            "command": ("migrate", "--all"),
            "entrypoint": None,
            "network": "aweigh.application-shop",
            "address": None,
            "networks": {"aweigh-backend": "aweigh-shop-7-release"},
            "mounts": (
                {
                    "source": "aweigh-shop_data",
                    "target": "/data",
                    "read_only": False,
                    "no_copy": False,
                },
            ),
            "ports": (),
            "cpus": None,
            "memory_bytes": 536870912,
            "restart": "no",
            "stop_grace": 10,
            "user": "",
            "pids": None,
            "dropped": ("MKNOD", "NET_RAW"),
            "confined": False,
            "log_bytes": None,
            "nests": False,
        }
    )


def test_our_labels_win_over_those_of_an_image() -> None:
    theirs = dict.fromkeys(replica().labels, "stolen") | {"aweigh.other": "stolen"}
    image = ImageFacts(id="sha256:1", labels=theirs)

    for spec in (replica(image), release_command(image)):
        assert "stolen" not in {**theirs, **spec.labels}.values()


def sources(spec: ContainerSpec) -> dict[str, str]:
    return {mount.target: mount.source for mount in spec.mounts}


def test_a_volume_of_the_image_becomes_a_named_one_of_the_application() -> None:
    image = ImageFacts(id="sha256:1", volumes=("/data", "/var/lib/x"))
    volumes = [{"source": "mine", "target": "/data"}]

    expected = {"/data": "aweigh-shop_mine", "/var/lib/x": "aweigh-shop__var_lib_x"}
    assert sources(replica(image, volumes=volumes)) == expected
    assert sources(release_command(image, volumes=volumes)) == expected


def test_volumes_of_an_image_do_not_mix_with_each_other_or_with_ours() -> None:
    image = ImageFacts(id="sha256:1", volumes=("/a/b", "/a_b", "/data"))

    found = sources(replica(image, volumes=[{"source": "data", "target": "/srv"}]))

    assert len(set(found.values())) == 4


@pytest.mark.parametrize(
    ("port", "exposed", "told"),
    [
        (None, (), {}), (None, (8000,), {"PORT": "8000"}), (None, (80, 443), {}),
        (9000, (80, 443), {"PORT": "9000"}), (9000, (), {"PORT": "9000"}),
    ],
)  # fmt: skip
def test_an_application_is_told_where_to_listen(
    port: int | None, exposed: tuple[int, ...], told: dict[str, str]
) -> None:
    assert replica(ImageFacts(id="sha256:1", exposed_tcp=exposed), port=port).env == told


def test_no_secret_is_printed_with_a_specification() -> None:
    assert "geheim" not in repr(replica(env={"TOKEN": "geheim"}))


BUILT = ImageFacts(id="sha256:1", labels={"io.buildpacks.build.metadata": "{}"})


@pytest.mark.parametrize(
    ("image", "settings", "entrypoint"),
    [
        (BUILT, {}, None),
        (BUILT, {"command": ["migrate"]}, ("/cnb/lifecycle/launcher", "--")),
        (BUILT, {"command": ["migrate"], "entrypoint": ["/bin/sh"]}, ("/bin/sh",)),
        (IMAGE, {"command": ["migrate"]}, None),
    ],
)
def test_a_command_is_no_argument_of_the_process_that_buildpacks_made(
    image: ImageFacts, settings: dict[str, Any], entrypoint: tuple[str, ...] | None
) -> None:
    release = {"release_command": settings.get("command"), "entrypoint": settings.get("entrypoint")}

    assert replica(image, **settings).entrypoint == entrypoint
    assert release_command(image, **release).entrypoint == entrypoint

"""A real registry with real images in it."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import docker
import yaml

from examples.demo.context import build_image
from tests.support.images import Variant, make_variant
from tests.support.ports import free_ports

USER, PASSWORD = "alice", f"correct-horse-{secrets.token_hex(8)}"
_MANIFESTS = "application/vnd.docker.distribution.manifest.v2+json"


class Registry:
    """`docker-registry`; two of them may serve one storage, one of them asking for a password."""

    def __init__(
        self, storage: Path, *, password: str | None = None, address: str = "127.0.0.1"
    ) -> None:
        self.port = free_ports(1)[0]
        self.address = address
        self.host = f"{address}:{self.port}"
        self._storage = storage
        self._password = password
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._storage.mkdir(parents=True, exist_ok=True)
        settings: dict[str, Any] = {
            "version": "0.1",
            "log": {"level": "warn"},
            "http": {"addr": self.host},
            "storage": {
                "filesystem": {"rootdirectory": str(self._storage)},
                "delete": {"enabled": True},
            },
        }
        if self._password:
            users = self._storage / f"users-{self.port}"
            line = subprocess.run(
                ["htpasswd", "-iBn", USER],
                input=self._password.encode(),
                check=True,
                capture_output=True,
            )
            users.write_bytes(line.stdout)
            settings["auth"] = {"htpasswd": {"realm": "test", "path": str(users)}}
        file = self._storage / f"registry-{self.port}.yml"
        file.write_text(yaml.safe_dump(settings))
        with (self._storage / f"registry-{self.port}.log").open("wb") as log:
            self._process = subprocess.Popen(
                ["docker-registry", "serve", str(file)], stdout=log, stderr=log
            )
        while not listens(self.address, self.port):
            assert self._process.poll() is None, "docker-registry did not start"

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait()

    def push(
        self,
        client: docker.DockerClient,
        repository: str,
        tag: str,
        environment: Mapping[str, str] | None = None,
        *,
        variant: Variant = Variant.PLAIN,
        layer_bytes: int = 0,
    ) -> str:
        """Make an image of the sample application and leave it in the registry only; its digest.

        With `layer_bytes` it has a layer of its own, which a pull has to download.
        """
        name = f"{self.host}/{repository}"
        # Equal images are one image to the engine, so that no test could tell whose it is.
        unique = {"UNIQUE": secrets.token_hex(8), **(environment or {})}
        make_variant(client, variant, repository=name, tag=tag, environment=unique)
        if layer_bytes:
            lines = f"FROM {name}:{tag}\nCOPY blob /blob\n"
            files = {"Dockerfile": lines.encode(), "blob": os.urandom(layer_bytes)}
            build_image(client, f"{name}:{tag}", files)
        digest = ""
        for event in client.api.push(name, tag=tag, stream=True, decode=True, auth_config={}):
            assert "error" not in event, event
            digest = (event.get("aux") or {}).get("Digest", digest)
        client.images.remove(f"{name}:{tag}")
        return digest

    def copy(self, repository: str, tag: str, to: str) -> str:
        """Have the same image in another repository, by a manifest of its own; its digest there.

        As a tool leaves it that writes the manifest anew when it copies an image.
        """
        _, body = self.call("GET", f"/v2/{repository}/manifests/{tag}", accept=_MANIFESTS)
        manifest = json.loads(body)
        for blob in (manifest["config"], *manifest["layers"]):
            mount = f"/v2/{to}/blobs/uploads/?mount={blob['digest']}&from={repository}"
            self.call("POST", mount)
        return self.put_manifest(to, tag, manifest, _MANIFESTS)

    def put_manifest(
        self, repository: str, tag: str, manifest: Mapping[str, Any], media_type: str
    ) -> str:
        """Its digest."""
        path = f"/v2/{repository}/manifests/{tag}"
        body = json.dumps(manifest).encode()
        headers, _ = self.call("PUT", path, body, content_type=media_type)
        return str(headers["Docker-Content-Digest"])

    def call(
        self, method: str, path: str, body: bytes = b"", *, accept: str = "*/*",
        content_type: str = "application/octet-stream",
    ) -> tuple[http.client.HTTPMessage, bytes]:  # fmt: skip
        """What the registry's own interface answers: headers and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        headers = {"Accept": accept, "Content-Type": content_type}
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        assert answer.status < 300, (method, path, answer.status, text)
        return answer.headers, text

    def delete(self, repository: str, tag: str) -> None:
        """Take a tag away from the registry, as its owner may at any time."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        accept = {"Accept": _MANIFESTS}
        connection.request("HEAD", f"/v2/{repository}/manifests/{tag}", headers=accept)
        digest = connection.getresponse().headers["Docker-Content-Digest"]
        connection.close()
        connection.request("DELETE", f"/v2/{repository}/manifests/{digest}")
        answer = connection.getresponse()
        assert answer.status == 202, answer.read()
        connection.close()


def listens(address: str, port: int) -> bool:
    with suppress(OSError), socket.create_connection((address, port), 1):
        return True
    return False


@contextmanager
def running_registries(directory: Path) -> Iterator[tuple[Registry, Registry]]:
    """One storage, served openly and behind a password."""
    both = Registry(directory), Registry(directory, password=PASSWORD)
    try:
        for one in both:
            one.start()
        yield both
    finally:
        for one in both:
            one.stop()
        shutil.rmtree(directory, ignore_errors=True)


def forget_images(client: docker.DockerClient, *hosts: str) -> None:
    """Take every name in these registries off the engine."""
    for image in client.api.images():
        names = [*(image["RepoTags"] or []), *(image["RepoDigests"] or [])]
        for name in names:
            if name.startswith(tuple(f"{host}/" for host in hosts)):
                with suppress(docker.errors.ImageNotFound):  # went with a tag of its repository
                    client.images.remove(name, force=True)

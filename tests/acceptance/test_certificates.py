"""Certificates by ACME, from a real authority on this machine."""

import asyncio
import ssl
from pathlib import Path

import docker
import pytest

from examples.demo.image import make_image
from tests.support.acme_authority import running_authority
from tests.support.images import temporary_repository
from tests.support.stack import new_stack, stopped_afterwards

pytestmark = pytest.mark.docker
HOST = "secure.example.com"


async def test_a_domain_with_tls_gets_a_certificate_of_its_own(
    engine: docker.DockerClient, tmp_path: Path
) -> None:
    stack = new_stack(tmp_path)
    async with running_authority(tmp_path, stack.web_port) as authority:
        stack.environment |= {
            "AWEIGH_ACME_EMAIL": "ops@example.com",
            "AWEIGH_ACME_SERVER": authority.directory,
            "AWEIGH_ACME_CA_FILE": str(authority.own_certificate),
        }
        trusted = ssl.create_default_context(cadata=await authority.root())
        with temporary_repository(engine) as repository:
            async with stopped_afterwards(stack):
                make_image(engine, repository=repository, tag="v1", environment={"NAME": "tls"})
                source = {"type": "image", "image": repository, "tag": "v1"}
                app = await stack.create("tls", source, domains=[{"host": HOST}])
                assert (await stack.deploy(app)).status_code == 200

                port = int(stack.environment["AWEIGH_WEB_SECURE_PORT"])
                certificate = await trusted_certificate(port, trusted)

    assert ("DNS", HOST) in certificate["subjectAltName"]


async def trusted_certificate(port: int, trusted: ssl.SSLContext) -> dict[str, tuple[object, ...]]:
    """The server's certificate, as soon as it is one that the authority issued."""
    async with asyncio.timeout(300):
        while True:
            try:
                _, writer = await asyncio.open_connection(
                    "127.0.0.1", port, ssl=trusted, server_hostname=HOST
                )
            except ssl.SSLError:  # the proxy's own certificate, until the real one has come
                await asyncio.sleep(0.2)
                continue
            certificate = writer.get_extra_info("peercert")
            writer.close()
            return dict(certificate)

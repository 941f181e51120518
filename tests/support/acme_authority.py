"""A certificate authority that speaks ACME: Pebble, with a name server that knows every host."""

import asyncio
import datetime
import ipaddress
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.ports import free_ports


@dataclass(frozen=True)
class Authority:
    """Where it listens, and what it is trusted by."""

    directory: str
    own_certificate: Path
    management: str

    async def root(self) -> str:
        """The certificate that everything it issues is trusted by (PEM)."""
        async with httpx2.AsyncClient(verify=False, trust_env=False) as client:
            return (await client.get(f"{self.management}/roots/0")).text


@asynccontextmanager
async def running_authority(place: Path, web_port: int) -> AsyncIterator[Authority]:
    """Runs for the block; challenges are asked for on `web_port` of this machine."""
    api, management, dns, control = free_ports(4)
    certificate, key = _certificate(place)
    config = place / "pebble.json"
    config.write_text(
        json.dumps(
            {
                "pebble": {
                    "listenAddress": f"127.0.0.1:{api}",
                    "managementListenAddress": f"127.0.0.1:{management}",
                    "certificate": str(certificate),
                    "privateKey": str(key),
                    "httpPort": web_port,
                    "tlsPort": 1,
                }
            }
        )
    )
    names = await _start(
        place, "pebble-challtestsrv", "-defaultIPv4", "127.0.0.1", "-defaultIPv6", "",
        "-dns01", f"127.0.0.1:{dns}", "-http01", "", "-https01", "", "-tlsalpn01", "",
        "-management", f"127.0.0.1:{control}",
    )  # fmt: skip
    pebble = await _start(place, "pebble", "-config", str(config), "-dnsserver", f"127.0.0.1:{dns}")
    authority = Authority(
        f"https://127.0.0.1:{api}/dir", certificate, f"https://127.0.0.1:{management}"
    )
    try:
        await _until_answers(authority)
        yield authority
    finally:
        for process in (pebble, names):
            process.terminate()
            await process.wait()


async def _start(place: Path, *command: str) -> asyncio.subprocess.Process:
    with (place / f"{command[0]}.log").open("wb") as log:
        return await asyncio.create_subprocess_exec(
            *command, stdout=log, stderr=log, env={**os.environ, "PEBBLE_VA_NOSLEEP": "1"}
        )


async def _until_answers(authority: Authority) -> None:
    async with asyncio.timeout(300):
        while True:
            try:
                await authority.root()
            except httpx2.HTTPError:
                await asyncio.sleep(0.05)
            else:
                return


def _certificate(place: Path) -> tuple[Path, Path]:
    """A self-signed certificate for the authority's own address."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "the test's authority")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = place / "authority.pem"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = place / "authority.key"
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    return pem, private

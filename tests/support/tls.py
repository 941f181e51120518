"""TLS with certificates of a test's own, in front of a server that speaks none."""

import asyncio
import contextlib
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Certificates:
    """An authority, and one certificate of it for a loopback server or its client."""

    authority: Path
    certificate: Path
    key: Path


def certificates(place: Path, *hosts: str, expired: bool = False) -> Certificates:
    """`hosts`: names that the certificate is for, beside the loopback address."""
    root, leaf = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    made = Certificates(place / "ca.pem", place / "leaf.pem", place / "leaf.key")
    pem = serialization.Encoding.PEM
    made.authority.write_bytes(_certificate("root", root, root).public_bytes(pem))
    made.certificate.write_bytes(
        _certificate("leaf", leaf, root, *hosts, expired=expired).public_bytes(pem)
    )
    made.key.write_bytes(
        leaf.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return made


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: ec.EllipticCurvePrivateKey,
    *hosts: str,
    expired: bool = False,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), *map(x509.DNSName, hosts)]
    ends = now + datetime.timedelta(minutes=-1 if expired else 24 * 60)
    return (
        x509.CertificateBuilder()
        .subject_name(_named(name))
        .issuer_name(_named("root"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(ends)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=key is issuer, path_length=None), critical=True)
        .sign(issuer, hashes.SHA256())
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


@asynccontextmanager
async def mutual_tls(target: str, made: Certificates) -> AsyncIterator[str]:
    """The address of a proxy for `target` that lets only holders of a certificate in."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate, made.key)
    context.load_verify_locations(made.authority)
    context.verify_mode = ssl.CERT_REQUIRED
    context.set_alpn_protocols(["h2"])
    host, _, port = target.rpartition(":")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection(host, int(port))
        await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as listening:
        yield f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
    writer.close()

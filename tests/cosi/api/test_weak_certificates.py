"""Certificates that prove nothing are refused: short keys, and hashes that can be forged."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import (
    CertificateIssuerPrivateKeyTypes,
    CertificateIssuerPublicKeyTypes,
)
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cosi import InMemoryState, Resource
from cosi.api._strength import weakness
from cosi.api.certificates import Authority, CertificateError, Identity, server_credentials
from cosi.api.client import RemoteState, connect
from cosi.api.roles import Role
from cosi.api.server import TLSListener, serve
from cosi.errors import AccessDenied
from cosi.state import TypeRegistry
from tests.cosi.api.things import Thing

AUTHORITY = Authority.new()
SERVER = AUTHORITY.server(["localhost", "127.0.0.1"])
DAY = timedelta(days=1)
# cryptography signs nothing with SHA-1 any more; this is of `openssl x509 -req -sha1`.
SIGNED_WITH_SHA1 = b"""\
-----BEGIN CERTIFICATE-----
MIIBFjCBvgIBATAJBgcqhkjOPQQBMA0xCzAJBgNVBAMMAmNhMCAXDTI2MTEyNzIz
MjgzNVoYDzIxMjYxMTAzMjMyODM1WjAiMREwDwYDVQQKDAhvczphZG1pbjENMAsG
A1UEAwwEamFuZTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABKcdsgTUQ6+U3Wuj
59hmZGBgdphI1vb+lVva+2fq1Rwe3v4eF9NdyN1tdhj0zWdzPNfLBJqVGoT25ELp
dpdwOcEwCQYHKoZIzj0EAQNIADBFAiAg2UAtOsnj0K1BwEty5jW6t8rRYKNer3M3
aRZUxJEJrQIhAM0qAmgshDTwkK8/rQhNbWgiv1Gnop3IctcFTJRraEiS
-----END CERTIFICATE-----
"""


def rsa_key(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65_537, bits)


def name(common: str, *organisations: str) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, o) for o in organisations]
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common)])


def certificate(
    public: CertificateIssuerPublicKeyTypes,
    issuer: x509.Name,
    key: CertificateIssuerPrivateKeyTypes,
    *,
    subject: x509.Name | None = None,
    ca: bool = False,
) -> x509.Certificate:
    """A client's with the role of an administrator, or a CA's."""
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject or name("jane", Role.ADMIN))
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
    )
    if ca:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
    else:
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
        builder = builder.add_extension(usage, critical=False)
    return builder.sign(key, hashes.SHA256())


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def issued(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey,
) -> Identity:
    """An administrator's, by the CA that the server trusts."""
    subject = AUTHORITY.certificate.subject
    shown = certificate(key.public_key(), subject, AUTHORITY.key)
    return Identity(shown.public_bytes(Encoding.PEM), pem(key))


def by_a_weak_one_in_between() -> Identity:
    """A strong key, certified by a CA of 1,024 bits that the server's CA has certified."""
    between, key = rsa_key(1_024), rsa_key(2_048)
    weak = certificate(
        between.public_key(),
        AUTHORITY.certificate.subject,
        AUTHORITY.key,
        subject=name("in between"),
        ca=True,
    )
    leaf = certificate(key.public_key(), weak.subject, between)
    chain = b"".join(c.public_bytes(Encoding.PEM) for c in (leaf, weak))
    return Identity(chain, pem(key))


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    contents = {
        "crt": SERVER.certificate,
        "key": SERVER.key,
        "ca": AUTHORITY.identity.certificate,
    }
    for file, content in contents.items():
        (tmp_path / file).write_bytes(content)
    return {file: tmp_path / file for file in contents}


async def get(state: InMemoryState, files: dict[str, Path], client: Identity) -> str:
    """What ``client`` reads from a server that asks for certificates."""
    await state.create(Resource.new("a", Thing()))
    listener = TLSListener("localhost:0", files["crt"], files["key"], files["ca"])
    shown = grpc.ssl_channel_credentials(
        AUTHORITY.identity.certificate, client.key, client.certificate
    )
    async with (
        serve(state, listener, types=TypeRegistry(Thing)) as (address,),
        connect(address, credentials=shown) as remote,
    ):
        return (await _read(remote)).id


async def _read(remote: RemoteState) -> Resource[Thing]:
    return await remote.get(Thing, "a")


@pytest.mark.parametrize(
    ("client", "why"),
    [
        (lambda: issued(rsa_key(1_024)), "an RSA key of 1024 bits, of at least 2048"),
        (lambda: issued(rsa_key(2_040)), "an RSA key of 2040 bits, of at least 2048"),
        (by_a_weak_one_in_between, "an RSA key of 1024 bits"),
    ],
    ids=["1024", "2040", "in between"],
)
async def test_an_administrator_with_a_weak_certificate_is_refused_and_hears_why(
    state: InMemoryState, files: dict[str, Path], client: Callable[[], Identity], why: str
) -> None:
    with pytest.raises(AccessDenied, match=why):
        await get(state, files, client())


@pytest.mark.parametrize(
    "client",
    [lambda: issued(rsa_key(2_048)), lambda: issued(ec.generate_private_key(ec.SECP384R1()))],
    ids=["RSA", "P-384"],
)
async def test_an_administrator_with_a_strong_one_is_not(
    state: InMemoryState, files: dict[str, Path], client: Callable[[], Identity]
) -> None:
    assert await get(state, files, client()) == "a"


def self_made(key: CertificateIssuerPrivateKeyTypes) -> x509.Certificate:
    """Certified by the CA, whatever key it is."""
    return certificate(key.public_key(), AUTHORITY.certificate.subject, AUTHORITY.key)


@pytest.mark.parametrize(
    ("shown", "why"),
    [
        (lambda: self_made(ec.generate_private_key(ec.SECP192R1())), "a curve of 192 bits"),
        (lambda: self_made(dsa.generate_private_key(2_048)), "a DSA key"),
        (lambda: self_made(ec.generate_private_key(ec.SECP256R1())), None),
        (lambda: self_made(ed25519.Ed25519PrivateKey.generate()), None),
        (lambda: self_made(rsa_key(2_048)), None),
    ],
    ids=["P-192", "DSA", "P-256", "Ed25519", "RSA"],
)
def test_what_is_as_weak_as_a_short_rsa_key(
    shown: Callable[[], x509.Certificate], why: str | None
) -> None:
    problem = weakness(shown())

    assert problem is None if why is None else why in (problem or "")


def test_a_signature_that_can_be_forged_is_weak() -> None:
    from_then = x509.load_pem_x509_certificate(SIGNED_WITH_SHA1)

    assert isinstance(from_then.signature_hash_algorithm, hashes.SHA1)
    assert weakness(from_then) == "a signature with SHA1, which can be forged"


@pytest.mark.parametrize("weak", ["crt", "ca"])
def test_a_server_does_not_begin_with_a_weak_certificate_or_trust_one(
    files: dict[str, Path], weak: str
) -> None:
    key = rsa_key(1_024)
    shown = certificate(key.public_key(), name("old"), key, subject=name("old"), ca=True)
    files[weak].write_bytes(shown.public_bytes(Encoding.PEM))

    with pytest.raises(CertificateError, match=f"{files[weak]}: too weak: it has an RSA key"):
        server_credentials(files["crt"], files["key"], files["ca"])

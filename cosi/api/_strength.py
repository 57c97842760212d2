"""Which certificates are too weak to prove anything: below 112 bits of strength (NIST SP 800-57).

That is RSA below 2,048 bits, with an exponent that makes it none, and elliptic curves below 224
bits; DSA, which no TLS library takes any more, of any size; and what is signed with MD5 or SHA-1,
for which a second certificate of the same signature can be made. BoringSSL, gRPC's TLS, verifies
all the RSA of them without a word, and so does Go's for certificates that a client shows.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa

RSA_BITS: Final = 2_048
CURVE_BITS: Final = 224
_RSA_EXPONENT: Final = 3
_BROKEN: Final = (hashes.MD5, hashes.SHA1)  # noqa: S303 to refuse them


def weakness(certificate: x509.Certificate) -> str | None:
    """What is too weak about ``certificate``, as ``an RSA key of 1024 bits, ...``; or ``None``.

    The signature of one that has signed itself proves nothing, and is not looked at.
    """
    if problem := _of_key(certificate):
        return problem
    if certificate.issuer != certificate.subject and isinstance(_hash(certificate), _BROKEN):
        return f"a signature with {type(_hash(certificate)).__name__}, which can be forged"
    return None


def first_weakness(certificates: Iterable[x509.Certificate]) -> str | None:
    """The first :func:`weakness` among ``certificates``."""
    return next(filter(None, map(weakness, certificates)), None)


def _of_key(certificate: x509.Certificate) -> str | None:
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        return f"a key that cannot be judged: {error}"
    if isinstance(key, rsa.RSAPublicKey):
        return _of_rsa_key(key)
    if isinstance(key, ec.EllipticCurvePublicKey):
        weak = key.key_size < CURVE_BITS
        return (
            f"a key on a curve of {key.key_size} bits, of at least {CURVE_BITS}" if weak else None
        )
    if isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        return None
    return "a DSA key" if isinstance(key, dsa.DSAPublicKey) else "a key that can sign nothing"


def _of_rsa_key(key: rsa.RSAPublicKey) -> str | None:
    if key.key_size < RSA_BITS:
        return f"an RSA key of {key.key_size} bits, of at least {RSA_BITS}"
    exponent = key.public_numbers().e
    if exponent < _RSA_EXPONENT or exponent % 2 == 0:
        return f"an RSA key with the exponent {exponent}"
    return None


def _hash(certificate: x509.Certificate) -> hashes.HashAlgorithm | None:
    try:
        return certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return None  # nor has the TLS library verified it

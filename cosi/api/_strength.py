"""Finds certificates that are too weak: below 112 bits of strength (NIST SP 800-57).

Too weak are RSA keys below 2,048 bits or with an invalid exponent, and elliptic curves below 224
bits; DSA keys of any size, which no TLS library accepts any more; and signatures with MD5 or SHA-1,
for which a second certificate with the same signature can be made. BoringSSL, gRPC's TLS, accepts
all of these RSA keys silently, and Go's does so for client certificates.
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
    """The weakness of ``certificate``, as ``an RSA key of 1024 bits, ...``; ``None`` if none.

    The signature of a self-signed certificate proves nothing, and is not checked.
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
        return None  # the TLS library has not verified it either

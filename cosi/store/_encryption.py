"""Encryption and authentication of stored records. Extra ``store``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cosi.errors import StoreError
from cosi.resource._envelope import Resource
from cosi.resource._pointer import Pointer
from cosi.store._marshal import Marshaler, failed

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_COSI: Final = 1
_OURS: Final = 2


@dataclass(frozen=True)
class KeyRing:
    """The keys of a store: ``KeyRing("2026", {"2026": new, "2025": old})``.

    Records are written with the ``current`` key and read with the key that they name. A key may be
    dropped once no record needs it: :meth:`~cosi.state.SQLiteStore.rewrite`. One key may be used
    for 2**32 writes (NIST SP 800-38D, 8.3: random nonces).

    Raises :class:`~cosi.errors.StoreError` for a key that does not have 32 bytes, a ``current``
    that is not among the keys, or an id of more than 255 bytes.
    """

    current: str
    keys: Mapping[str, bytes] = field(repr=False)

    def __post_init__(self) -> None:
        if self.current not in self.keys:
            raise StoreError(f"the current key {self.current!r} is not among the keys")
        for id, key in self.keys.items():
            if len(key) != KEY_BYTES:
                raise StoreError(f"key {id!r}: key length is not {KEY_BYTES} bytes")
            if len(id.encode()) > 255:
                raise StoreError(f"key {id!r}: its id has more than 255 bytes")


KeySource = Callable[[], KeyRing]
"""Called when a key is first needed, and again if it failed or the ring lacks a key."""


class Encryption:
    """AES-256-GCM around another marshaler.

    A record is ``02``, the length of the key's id and the id, 12 random bytes, ciphertext with tag.
    The header and the address are authenticated with the ciphertext: a record moved to another
    address is refused (differences: COSI 16: COSI's has no key id, and opens anywhere). An older
    record of the same resource at its own address is not detected.

    COSI's records, ``01``, nonce and ciphertext, are read too, with the first key of the ring that
    opens them; they are replaced when their resources are next written.

    ``keys`` may be a function, which may block; it is called in the thread that needs a key. Its
    exceptions are reported as "failed to provide key", and the next record calls it again (COSI
    remembers the failure until the process ends).
    """

    def __init__(self, inner: Marshaler, keys: KeyRing | KeySource) -> None:
        self._inner = inner
        self._source = keys if callable(keys) else lambda: keys
        self._ring: KeyRing | None = None

    def marshal(self, resource: Resource[Any]) -> bytes:
        """The inner record, sealed with the current key and bound to its address.

        Raises :class:`~cosi.errors.StoreError` if no key is available, and the errors of the inner
        marshaler.
        """
        data = self._inner.marshal(resource)
        pointer = resource.pointer
        ring = self._ring or self._ask("encrypt", pointer)
        id = ring.current.encode()
        header = bytes((_OURS, len(id))) + id
        nonce = os.urandom(_NONCE_BYTES)
        context = _context(header, pointer)
        return header + nonce + AESGCM(ring.keys[ring.current]).encrypt(nonce, data, context)

    def unmarshal(self, data: bytes, pointer: Pointer) -> Resource[Any]:
        """The resource of a record, ours or COSI's; if the ring lacks its key, it is fetched again.

        Raises :class:`~cosi.errors.StoreError` for a record of another format, one that was changed
        or moved, and one with an unknown key; and the errors of the inner marshaler.
        """
        if len(data) < 2 + _NONCE_BYTES:
            raise failed("decrypt", "encrypted data is too short", pointer)
        if data[0] == _OURS:
            plain = self._open_ours(data, pointer)
        elif data[0] == _COSI:
            keys = (self._ring or self._ask("decrypt", pointer)).keys.values()
            plain = _open(keys, data[1:], None, pointer)
        else:
            raise failed("decrypt", "unknown data format", pointer)
        return self._inner.unmarshal(plain, pointer)

    def _open_ours(self, data: bytes, pointer: Pointer) -> bytes:
        end = 2 + data[1]
        header, id = data[:end], data[2:end].decode(errors="replace")
        ring = self._ring or self._ask("decrypt", pointer)
        if id not in ring.keys:
            ring = self._ask("decrypt", pointer)  # the key may have been added since
        if id not in ring.keys:
            raise failed("decrypt", f"unknown key ID: {id!r}", pointer)
        return _open((ring.keys[id],), data[end:], _context(header, pointer), pointer)

    def _ask(self, what: str, pointer: Pointer) -> KeyRing:
        try:
            self._ring = self._source()
        except Exception as error:  # the user's function, which may raise anything
            raise failed(what, f"failed to provide key: {error}", pointer) from error
        return self._ring


def _context(header: bytes, pointer: Pointer) -> bytes:
    """The authenticated data beside the record: each part with its length, so that different
    addresses never give the same bytes."""
    parts = (pointer.namespace, pointer.type, pointer.id)
    encoded = [part.encode(errors="surrogatepass") for part in parts]
    return header + b"".join(len(part).to_bytes(4, "big") + part for part in encoded)


def _open(keys: Iterable[bytes], sealed: bytes, context: bytes | None, pointer: Pointer) -> bytes:
    """Decrypt a nonce and ciphertext with the first key that fits."""
    nonce, ciphertext = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
    for key in keys:
        try:
            return AESGCM(key).decrypt(nonce, ciphertext, context)
        except (InvalidTag, ValueError):  # ValueError: too short for a nonce
            continue
    raise failed("decrypt", "gcm open failed: message authentication failed", pointer)

"""Records that only who has the key can read, and nobody else can make. Extra ``store``."""

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

    Records are written with the ``current`` one and read with the one that they name. A key may be
    dropped once nothing is left that needs it: :meth:`~cosi.state.SQLiteStore.rewrite`.
    One key is good for 2**32 writes (NIST SP 800-38D, 8.3: random nonces).

    Raises :class:`~cosi.errors.StoreError` for a key that is not of 32 bytes, a ``current`` that is
    not among them, or an id of more than 255 bytes.
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
                raise StoreError(f"key {id!r}: its id is of more than 255 bytes")


KeySource = Callable[[], KeyRing]
"""Asked when a key is needed for the first time, and again if it failed or lacks a key."""


class Encryption:
    """AES-256-GCM around another marshaler.

    A record is ``02``, the length of the key's id and the id, 12 random bytes, ciphertext with tag;
    what is not ciphertext is authenticated with it, and so is the address: a record put in another
    one's place is refused (differences: COSI 16: COSI's has no key id, and opens anywhere). An
    older record of the same resource in its own place is not told apart.

    COSI's records, ``01``, nonce and ciphertext, are read too, with whatever key of the ring opens
    them; they are replaced as their resources are written.

    ``keys`` may be a function, which may block, and is called in whatever thread needs a key. What
    it raises is reported as "failed to provide key", and it is asked again by the next record
    (COSI's remembers the failure for ever).
    """

    def __init__(self, inner: Marshaler, keys: KeyRing | KeySource) -> None:
        self._inner = inner
        self._source = keys if callable(keys) else lambda: keys
        self._ring: KeyRing | None = None

    def marshal(self, resource: Resource[Any]) -> bytes:
        """The inner record, sealed with the current key and bound to its address.

        Raises :class:`~cosi.errors.StoreError` if no key is to be had, and what the inner marshaler
        does.
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
        """The resource of a record, ours or COSI's; a key ring without its key is asked for again.

        Raises :class:`~cosi.errors.StoreError` for what is no such record, was changed or moved, or
        is of a key that is not there; and what the inner marshaler does.
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
            ring = self._ask("decrypt", pointer)  # a key may have come since
        if id not in ring.keys:
            raise failed("decrypt", f"unknown key ID: {id!r}", pointer)
        return _open((ring.keys[id],), data[end:], _context(header, pointer), pointer)

    def _ask(self, what: str, pointer: Pointer) -> KeyRing:
        try:
            self._ring = self._source()
        except Exception as error:  # it is the user's function, and may ask anybody for the key
            raise failed(what, f"failed to provide key: {error}", pointer) from error
        return self._ring


def _context(header: bytes, pointer: Pointer) -> bytes:
    """What is authenticated beside the record: each part with its length, so that none can pass
    for another."""
    parts = (pointer.namespace, pointer.type, pointer.id)
    encoded = [part.encode(errors="surrogatepass") for part in parts]
    return header + b"".join(len(part).to_bytes(4, "big") + part for part in encoded)


def _open(keys: Iterable[bytes], sealed: bytes, context: bytes | None, pointer: Pointer) -> bytes:
    """The plain text of a nonce and ciphertext, by the first key that fits."""
    nonce, ciphertext = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
    for key in keys:
        try:
            return AESGCM(key).decrypt(nonce, ciphertext, context)
        except (InvalidTag, ValueError):  # ValueError: too short to hold a nonce
            continue
    raise failed("decrypt", "gcm open failed: message authentication failed", pointer)

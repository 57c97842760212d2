"""Records that are compressed where it pays, in COSI's format. Extra ``store``."""

from __future__ import annotations

import sys
from typing import Any, Final

from cosi.resource import Pointer, Resource
from cosi.store.marshal import Marshaler, failed

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_COMPRESSED: Final = b"\0"
_ZSTD: Final = b"z"
MAX_BYTES: Final = 256 << 20
"""What a record may expand to; far more than a resource is."""


class Compression:
    """Zstandard around another marshaler: ``00 7A`` and one frame, as COSI writes it.

    Records of less than ``min_size`` bytes, and those that would not shrink, stay as they are; a
    store may hold both kinds, so compression can begin with a store that is there already.
    """

    def __init__(self, inner: Marshaler, min_size: int = 2048) -> None:
        self._inner = inner
        self._min_size = min_size

    def marshal(self, resource: Resource[Any]) -> bytes:
        """The inner record, as one Zstandard frame if it is of ``min_size`` bytes and shrinks.

        Raises what the inner marshaler does.
        """
        data = self._inner.marshal(resource)
        ambiguous = data.startswith(_COMPRESSED)
        if len(data) < self._min_size and not ambiguous:
            return data
        packed = _COMPRESSED + _ZSTD + zstd.compress(data)
        return packed if len(packed) < len(data) or ambiguous else data

    def unmarshal(self, data: bytes, pointer: Pointer) -> Resource[Any]:
        """The resource of a record, compressed or not.

        Raises :class:`~cosi.errors.StoreError` for another compression, a frame that is damaged or
        cut off, and one that expands to more than ``MAX_BYTES``; and what the inner marshaler does.
        """
        if len(data) > 1 and data.startswith(_COMPRESSED):
            if data[1:2] != _ZSTD:
                raise failed("decompress", f"unknown compression ID: {data[1]}", pointer)
            data = _unpacked(data[2:], pointer)
        return self._inner.unmarshal(data, pointer)


def _unpacked(frame: bytes, pointer: Pointer) -> bytes:
    reader = zstd.ZstdDecompressor()
    try:
        data = reader.decompress(frame, max_length=MAX_BYTES)
    except zstd.ZstdError as error:
        raise failed("decompress", error, pointer) from error
    if not reader.eof:
        too_much = len(data) == MAX_BYTES
        why = f"more than {MAX_BYTES} bytes" if too_much else "the end is missing"
        raise failed("decompress", why, pointer)
    return data

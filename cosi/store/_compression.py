"""Compression of stored records in COSI's format, if it makes them smaller. Extra ``store``."""

from __future__ import annotations

import sys
from typing import Any, Final

from cosi.resource._envelope import Resource
from cosi.resource._pointer import Pointer
from cosi.store._marshal import Marshaler, failed

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_COMPRESSED: Final = b"\0"
_ZSTD: Final = b"z"
_FRAME: Final = b"\x28\xb5\x2f\xfd"
_SKIPPABLE: Final = b"\x2a\x4d\x18"  # after a byte from 50 to 5F; RFC 8878, 3.1.2
MAX_BYTES: Final = 256 << 20
"""The maximum size of an expanded record; far more than a resource has."""


class Compression:
    """Zstandard around another marshaler: ``00 7A`` and one frame, as COSI writes it.

    It reads records of several frames, skippable ones included, as Go's reader does. Records of
    less than ``min_size`` bytes, and those that would not shrink, stay as they are. A store may
    have both kinds, so compression can be introduced in an existing store.
    """

    def __init__(self, inner: Marshaler, min_size: int = 2048) -> None:
        self._inner = inner
        self._min_size = min_size

    def marshal(self, resource: Resource[Any]) -> bytes:
        """The inner record, as one Zstandard frame if it has ``min_size`` bytes and shrinks.

        Raises the errors of the inner marshaler.
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
        cut off, bytes after the last frame, and frames that expand to more than ``MAX_BYTES``; and
        the errors of the inner marshaler.
        """
        if len(data) > 1 and data.startswith(_COMPRESSED):
            if data[1:2] != _ZSTD:
                raise failed("decompress", f"unknown compression ID: {data[1]}", pointer)
            data = _unpacked(data[2:], pointer)
        return self._inner.unmarshal(data, pointer)


def _unpacked(frames: bytes, pointer: Pointer) -> bytes:
    """The contents of all frames, read as klauspost's reader in Go does, which COSI uses.

    Frames may follow each other; skippable ones (RFC 8878, 3.1.2) are empty. Other bytes after the
    last frame are an error.
    """
    rest = memoryview(frames)
    parts: list[bytes] = []
    room = MAX_BYTES
    while rest:
        size = _frame_size(rest, pointer)
        part = _frame(rest[:size], room, pointer)
        room -= len(part)
        parts.append(part)
        rest = rest[size:]
    return b"".join(parts)


def _frame_size(rest: memoryview, pointer: Pointer) -> int:
    magic = bytes(rest[:4])
    if magic != _FRAME and not (magic[1:] == _SKIPPABLE and magic[0] >> 4 == 5):
        raise failed(
            "decompress", f"{len(rest)} bytes at the end are not a Zstandard frame", pointer
        )
    try:
        return zstd.get_frame_size(rest)
    except zstd.ZstdError as error:
        raise failed("decompress", f"the end is missing, or damaged: {error}", pointer) from error


def _frame(frame: memoryview, room: int, pointer: Pointer) -> bytes:
    reader = zstd.ZstdDecompressor()
    try:
        # One byte more than allowed, so that a frame that fits exactly reaches its end.
        data = reader.decompress(frame, max_length=room + 1)
    except zstd.ZstdError as error:
        raise failed("decompress", error, pointer) from error
    if len(data) > room:
        raise failed("decompress", f"more than {MAX_BYTES} bytes", pointer)
    if not reader.eof:
        raise failed("decompress", "the end is missing", pointer)
    return data

"""Records that are compressed where it pays, in COSI's format. Extra ``store``."""

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
"""What a record may expand to; far more than a resource is."""


class Compression:
    """Zstandard around another marshaler: ``00 7A`` and one frame, as COSI writes it.

    What is read may be several frames, skippable ones among them: Go's reader takes them, too.
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
        cut off, bytes behind the last frame, and frames that expand to more than ``MAX_BYTES``; and
        what the inner marshaler does.
        """
        if len(data) > 1 and data.startswith(_COMPRESSED):
            if data[1:2] != _ZSTD:
                raise failed("decompress", f"unknown compression ID: {data[1]}", pointer)
            data = _unpacked(data[2:], pointer)
        return self._inner.unmarshal(data, pointer)


def _unpacked(frames: bytes, pointer: Pointer) -> bytes:
    """What is in all frames together, as klauspost's reader in Go has it, which COSI uses.

    Frames may follow each other; skippable ones (RFC 8878, 3.1.2) hold nothing. What follows the
    last frame and is none is an error.
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
        raise failed("decompress", f"{len(rest)} bytes at the end are no Zstandard frame", pointer)
    try:
        return zstd.get_frame_size(rest)
    except zstd.ZstdError as error:
        raise failed("decompress", f"the end is missing, or damaged: {error}", pointer) from error


def _frame(frame: memoryview, room: int, pointer: Pointer) -> bytes:
    reader = zstd.ZstdDecompressor()
    try:
        # One more than there is room for, so that a frame which fits exactly comes to its end.
        data = reader.decompress(frame, max_length=room + 1)
    except zstd.ZstdError as error:
        raise failed("decompress", error, pointer) from error
    if len(data) > room:
        raise failed("decompress", f"more than {MAX_BYTES} bytes", pointer)
    if not reader.eof:
        raise failed("decompress", "the end is missing", pointer)
    return data

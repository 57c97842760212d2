"""Limits of one request: its size, the lengths of names, and the sizes of written resources.

A client chooses all of these, and one event loop, which also supervises services, processes them.
So each has a limit that is checked before the work, and raises
:class:`~cosi.errors.LimitExceeded`. The limits are far above practical use (COSI has none except
32 MiB for a message). The limits of queries are in ``query.py`` and ``_search.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from google.protobuf.message import Message

from cosi.errors import InvalidResource, LimitExceeded

REQUEST_BYTES: Final = 64 * 1024
"""The size of a request without a resource. Three MiB of empty label terms become 1.5 million
objects before they can be counted.
"""
NAME_LETTERS: Final = 4_096
"""The length of a namespace, type, id or owner. An id may be a path, of up to 4,095 bytes."""
METADATA_BYTES: Final = 256 * 1024
"""The size of all labels, annotations and finalizers together (Kubernetes: annotations)."""
YAML_BYTES: Final = 256 * 1024
"""The size of a payload that is read as YAML here: 0.3 s."""
PAYLOAD_VALUES: Final = 100_000
"""The number of values in a payload that is read here, as for YAML. An empty value takes two bytes
on the wire and 3 us to decode.
"""
PAYLOAD_BYTES: Final = 4 * 1024 * 1024
"""The size of a payload that is read as protobuf here; others are not decoded."""
NODES: Final = 64
"""The number of nodes in the metadata of a call: each gets a whole answer."""


def check_size(what: str, size: int, limit: int, unit: str = "bytes") -> None:
    """Raise :class:`LimitExceeded` if ``size`` is beyond ``limit``."""
    if size > limit:
        raise LimitExceeded(f"{what} has {size} {unit}, of at most {limit}")


def check_names(**names: str) -> None:
    """Raise :class:`LimitExceeded` for a name that is too long; the error has its keyword."""
    for what, name in names.items():
        check_size(f"the {what}", len(name), NAME_LETTERS, "letters")


def check_metadata(resource: bytes) -> None:
    """Raise :class:`LimitExceeded` if the metadata in the message of a resource is too large.

    The metadata is not decoded for that. It may be split into several fields, which a reader
    merges, so their sizes are added.
    """
    if len(resource) > METADATA_BYTES:
        pieces = [length for number, length in _fields(resource) if number == _METADATA]
        check_size("the metadata", sum(pieces), METADATA_BYTES)


def check_values(payload: Message) -> None:
    """Raise :class:`LimitExceeded` for a payload of more than ``PAYLOAD_VALUES`` values."""
    count = 0
    waiting: list[Message] = [payload]
    while waiting:
        for field, value in waiting.pop().ListFields():
            values = _values(value)
            count += len(values)
            check_size("the payload", count, PAYLOAD_VALUES, "values")
            if field.message_type is not None:
                waiting += (one for one in values if isinstance(one, Message))


def _values(value: Any) -> Any:
    """The elements of a protobuf field: one value, a list or a map."""
    if isinstance(value, Message | str | bytes | int | float):
        return (value,)
    return value.values() if hasattr(value, "values") else value


_METADATA = 1
_PIECES = 16
_FIXED = {1: 8, 5: 4}  # bytes of a field by its wire type


def _fields(message: bytes) -> Iterator[tuple[int, int]]:
    """Number and length of the fields of a protobuf message; raises as :func:`check_metadata`."""
    position, count = 0, 0
    while position < len(message):
        tag, position = _varint(message, position)
        kind, length = tag & 7, 0
        if kind == 0:
            _, position = _varint(message, position)
        elif kind == 2:
            length, position = _varint(message, position)
        elif kind in _FIXED:
            length = _FIXED[kind]
        else:
            raise InvalidResource(f"not a Resource: a field of wire type {kind}")
        position += length
        count += 1
        check_size("a resource", count, _PIECES, "parts")
        yield tag >> 3, length


def _varint(message: bytes, position: int) -> tuple[int, int]:
    """The number that begins at ``position``, and where it ends."""
    number = 0
    for shift, byte in enumerate(message[position : position + 10]):
        number |= (byte & 0x7F) << 7 * shift
        if byte < 0x80:
            return number, position + shift + 1
    raise InvalidResource("not a Resource: it ends in the middle")

"""What one request may cost: bytes and names before it is read, and the sizes of what it writes.

Everything in this file is chosen by a client, and all of it is looked at in one event loop, which
supervises services too. So each has a bound, checked before the work is done. They are far beyond
what anybody needs (COSI: none, but the 32 MiB of a message), and each raises
:class:`~cosi.errors.LimitExceeded`. Queries have theirs in ``query.py`` and ``search.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from google.protobuf.message import Message

from cosi.errors import InvalidResource, LimitExceeded

REQUEST_BYTES: Final = 64 * 1024
"""Of any request that carries no resource. Three MiB of empty label terms are 1.5 million objects
before anybody can count them.
"""
NAME_LETTERS: Final = 4_096
"""Of a namespace, a type, an id or an owner. An id may be a path, and these have 4,095 bytes."""
METADATA_BYTES: Final = 256 * 1024
"""Of all labels, annotations and finalizers together (Kubernetes: annotations)."""
YAML_BYTES: Final = 256 * 1024
"""Of a payload that has to be read as YAML here: 0.3 s."""
PAYLOAD_VALUES: Final = 100_000
"""In one payload that is read here, as in YAML: an empty one is two bytes on the wire, and takes
3 us to make something of it.
"""
PAYLOAD_BYTES: Final = 4 * 1024 * 1024
"""Of a payload that has to be read as protobuf here; others are not looked into."""
NODES: Final = 64
"""Named in the metadata of a call: there is a whole answer for each."""


def check_size(what: str, size: int, limit: int, unit: str = "bytes") -> None:
    """Raise :class:`LimitExceeded` if ``size`` is beyond ``limit``."""
    if size > limit:
        raise LimitExceeded(f"{what} has {size} {unit}, of at most {limit}")


def check_names(**names: str) -> None:
    """Raise :class:`LimitExceeded` for a name that is too long, which is said by its keyword."""
    for what, name in names.items():
        check_size(f"the {what}", len(name), NAME_LETTERS, "letters")


def check_metadata(resource: bytes) -> None:
    """Raise :class:`LimitExceeded` for a message of a resource whose metadata are too large.

    Without reading them. It may come in pieces, which a reader puts together; so they are counted.
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
    """The elements of a field of protobuf's: one, a list or a map."""
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

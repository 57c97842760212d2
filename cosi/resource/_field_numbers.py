"""The protobuf field numbers that a payload class declares for itself.

::

    class TimeStatus(
        Spec,
        type="TimeStatuses.v1alpha1.talos.dev",
        proto={"synced": 1, "epoch": 2, "syncDisabled": 3},
    ): ...

A key is a field as it is written in YAML. The protobuf type follows from the field's annotation.
If the class has a serializer that writes another type, the declaration names that type:
``{"running": (1, bool)}``. A tuple of names is an enumeration, whose names are numbered from 0:
``{"sensitivity": (7, ("", "sensitive"))}``.

This module only checks the declaration; :mod:`cosi.api.payload`, which needs protobuf, uses it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cosi.resource._frozen import FrozenMap

ProtoField = int | tuple[int, Any]
"""A field number; or a pair of it and the written type, or the names of an enumeration."""

MAX_NUMBER = 2**29 - 1
RESERVED = range(19_000, 20_000)
"""Field numbers that protobuf reserves."""


def checked(owner: str, proto: Mapping[str, ProtoField]) -> FrozenMap[str, ProtoField]:
    """Return ``proto`` frozen; raises :class:`TypeError` for an invalid or repeated number."""
    seen: dict[int, str] = {}
    for key, declared in proto.items():
        number = declared[0] if isinstance(declared, tuple) else declared
        if not 0 < number <= MAX_NUMBER or number in RESERVED:
            raise TypeError(f"{owner}: {key} cannot have the protobuf field number {number}")
        if number in seen:
            raise TypeError(f"{owner}: {key} and {seen[number]} both have the number {number}")
        seen[number] = key
    return FrozenMap(proto)

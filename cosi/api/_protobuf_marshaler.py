"""Resources as COSI keeps them: the protobuf message of its API, and what that leaves out."""

from __future__ import annotations

from typing import Any, Final

from cosi.api.codec import decode, encode
from cosi.errors import CosiError
from cosi.resource._envelope import Resource
from cosi.resource._pointer import Pointer
from cosi.resource._types import EVERY_TYPE, TypeRegistry
from cosi.store._marshal import Payloads, checked_address, failed

# Field 2047 of the message, 16 bytes. COSI has no such field and skips it; it comes first, where a
# record of COSI's has field 1, so that the rest is byte for byte what travels (where it must not).
_UID: Final = b"\xfa\x7f\x10"
_UID_BYTES: Final = 16


class ProtobufMarshaler:
    """``cosi.resource.Resource``, which COSI's own stores keep too.

    Reads what COSI has written. What was encoded for the API is not encoded again, and the other
    way round. Unlike COSI's it keeps ``uid``, and the YAML of the payload with its message.
    """

    def __init__(self, types: TypeRegistry = EVERY_TYPE) -> None:
        self._payloads = Payloads(types)

    def marshal(self, resource: Resource[Any]) -> bytes:
        """``cosi.resource.Resource`` as bytes, with ``uid`` in a field of its own before it.

        Raises :class:`~cosi.errors.StoreError` for a payload that has no protobuf or YAML form.
        """
        uid = resource.metadata.uid
        try:
            data = encode(resource)
        except (ValueError, TypeError, CosiError) as error:
            raise failed("marshal", error, resource.pointer) from error
        return data if uid is None else _UID + uid.to_bytes(_UID_BYTES, "big") + data

    def unmarshal(self, data: bytes, pointer: Pointer) -> Resource[Any]:
        """The resource of a record, ours or COSI's (which has no ``uid``).

        Raises :class:`~cosi.errors.StoreError` for what is no such message, a payload that its
        class refuses, and a record of another address than ``pointer``.
        """
        uid = None
        try:
            if data.startswith(_UID):
                start, end = len(_UID), len(_UID) + _UID_BYTES
                uid, data = int.from_bytes(data[start:end], "big"), data[end:]
            resource = decode(data, self._payloads.payload)
        except (ValueError, TypeError, CosiError) as error:
            raise failed("unmarshal", error, pointer) from error
        return checked_address(resource if uid is None else resource.evolve(uid=uid), pointer)

"""The marshaler for COSI's record format: the protobuf message of its API, with the uid."""

from __future__ import annotations

from typing import Any, Final

from cosi.api.codec import decode, encode
from cosi.errors import CosiError
from cosi.resource._envelope import Resource
from cosi.resource._pointer import Pointer
from cosi.resource._types import EVERY_TYPE, TypeRegistry
from cosi.store._marshal import Payloads, checked_address, failed

# Field 2047 of the message, 16 bytes. COSI has no such field and skips it. The uid is prepended
# (COSI's records begin with field 1), so the rest stays byte-identical to the wire form; it is
# never sent.
_UID: Final = b"\xfa\x7f\x10"
_UID_BYTES: Final = 16


class ProtobufMarshaler:
    """Writes ``cosi.resource.Resource``, which COSI's own stores write too.

    It reads COSI's records. A resource is encoded once for the API and the store. Unlike COSI's
    records, ours also have the ``uid``, and the payload as YAML beside its message.
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

        Raises :class:`~cosi.errors.StoreError` for a record of another format, a payload that its
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

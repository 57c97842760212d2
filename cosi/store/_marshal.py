"""Marshalers: turn resources into the bytes of a durable store, in layers that the user combines.

::

    SQLiteStore("state.db", marshaler=Encryption(Compression(ProtobufMarshaler()), keys))

The innermost layer is :class:`YamlMarshaler` (the default: readable, and without dependencies) or
:class:`~cosi.api._protobuf_marshaler.ProtobufMarshaler` (COSI's records). Around it is
:class:`~cosi.state.Compression`, and around that :class:`~cosi.state.Encryption`, because encrypted
data cannot be compressed.

COSI's ``keystorage`` (a master key wrapped to several OpenPGP keys) is not implemented: the only
maintained OpenPGP library (pysequoia) has no stable interface yet. Its purpose, to share one key
between several users or machines, is left to the source of the key: pass ``Encryption`` a function
that queries ``age``, a TPM, Vault or a cloud's key service. There are no slots, so there are no
slot ids that an integrity check could leave out (differences: COSI 16); the id of a key is
authenticated with every record.
"""

from __future__ import annotations

import base64
import json
import uuid
from datetime import datetime
from typing import Any, Final, Protocol

from pydantic import ValidationError

from cosi.errors import CosiError, StoreError
from cosi.resource._envelope import Resource
from cosi.resource._frozen import EMPTY, FrozenMap
from cosi.resource._metadata import Metadata, format_version, parse_phase, parse_version
from cosi.resource._payload import AnySpec, Spec
from cosi.resource._pointer import Pointer
from cosi.resource._types import EVERY_TYPE, TypeRegistry


class Marshaler(Protocol):
    """Converts resources to bytes and back.

    *Guarantees.* A resource that is read equals the one that was written, ``created``, ``updated``
    and ``uid`` included. Both methods may be called from any thread.

    *Errors.* :class:`~cosi.errors.StoreError`, with the pointer of the resource.
    """

    def marshal(self, resource: Resource[Any]) -> bytes:
        """The record of ``resource``."""
        ...

    def unmarshal(self, data: bytes, pointer: Pointer) -> Resource[Any]:
        """The resource of the record at ``pointer``; a record of another resource is refused."""
        ...


class Payloads:
    """The payload classes of a marshaler's types, each looked up once.

    The first class found for a type stays, even if another one is defined for it later: a search
    through all classes for each of 100,000 records would take longer than reading the records.
    """

    def __init__(self, types: TypeRegistry) -> None:
        self._types = types
        self._found: dict[str, type[Spec]] = {}

    def payload(self, type: str) -> type[Spec] | type[AnySpec]:
        """The class of ``type``; :class:`~cosi.AnySpec` if none is defined."""
        found = self._found.get(type) or self._types.find(type)
        if found is None:
            return AnySpec
        self._found[type] = found
        return found


def checked_address(resource: Resource[Any], pointer: Pointer) -> Resource[Any]:
    """``resource``, if its address is ``pointer``; raises :class:`~cosi.errors.StoreError`.

    If the address inside a record differs from the address where the record is stored, the record
    was moved.
    """
    if resource.pointer != pointer:
        raise failed("unmarshal", f"the record is that of {resource.pointer}", pointer)
    return resource


def failed(what: str, why: object, pointer: Pointer) -> StoreError:
    """The error with COSI's message and the resource."""
    return StoreError(f"failed to {what} resource {pointer}: {why}", pointer)


_SPEC: Final = b',\n"spec": '
_ANY: Final = b',\n"any": '  # neither occurs elsewhere: JSON writes no line break inside a text


class YamlMarshaler:
    """Writes the YAML form of a resource on two lines, in the flow style that is also JSON.

    Unlike :func:`~cosi.state.to_yaml` it keeps exact times and ``uid``. A payload of an unknown
    type is kept with its original text and bytes, under ``any`` instead of ``spec``. pydantic reads
    and writes JSON 50 times as fast as libyaml does block style.
    """

    def __init__(self, types: TypeRegistry = EVERY_TYPE) -> None:
        self._payloads = Payloads(types)

    def marshal(self, resource: Resource[Any]) -> bytes:
        """Two lines of JSON: ``metadata``, and ``spec`` or ``any``.

        Raises :class:`~cosi.errors.StoreError` for a payload that JSON cannot represent.
        """
        try:
            metadata = json.dumps(_fields(resource.metadata)).encode()
            return b'{"metadata": %b%b}\n' % (metadata, _payload(resource.spec))
        except ValueError as error:
            raise failed("marshal", error, resource.pointer) from error

    def unmarshal(self, data: bytes, pointer: Pointer) -> Resource[Any]:
        """The resource of a record, its payload validated by the class of its type.

        Raises :class:`~cosi.errors.StoreError` for a record of another format, a payload that its
        class refuses, and a record of another address than ``pointer``.
        """
        try:
            head, separator, payload = data.removesuffix(b"}\n").partition(_SPEC)
            if not separator:
                head, separator, payload = head.partition(_ANY)
            metadata = _metadata(json.loads(head + b"}")["metadata"])
            payload_class = self._payloads.payload(metadata.type)
            read = _read_spec if separator == _SPEC else _read_any
            resource = Resource(metadata, read(payload, payload_class))
        except (ValueError, KeyError, TypeError, CosiError) as error:
            raise failed("unmarshal", _short(error), pointer) from error
        return checked_address(resource, pointer)


def _payload(spec: Spec | AnySpec) -> bytes:
    if isinstance(spec, AnySpec):
        kept = {"yaml": spec.yaml, "proto": base64.b64encode(spec.proto).decode()}
        return _ANY + json.dumps(kept).encode()
    data = spec.model_dump_json(by_alias=True)
    if "null" in data:
        # pydantic writes inf and nan, which JSON does not have, as null; but it can read the names
        # that the json module writes for them.
        data = json.dumps(spec.model_dump(mode="json", by_alias=True), ensure_ascii=False)
    return _SPEC + data.encode()


def _read_spec(data: bytes, payload: type[Spec] | type[AnySpec]) -> Spec | AnySpec:
    if issubclass(payload, Spec):
        return payload.model_validate_json(data)
    return AnySpec(data.decode() + "\n")  # written by a program that knew the type: JSON is YAML


def _read_any(data: bytes, payload: type[Spec] | type[AnySpec]) -> Spec | AnySpec:
    kept = json.loads(data)
    if not issubclass(payload, Spec):
        return AnySpec(kept["yaml"], base64.b64decode(kept["proto"], validate=True))
    if not kept["yaml"]:
        raise ValueError("record has only protobuf bytes: its type was unknown when written")
    from cosi.resource._yaml_form import spec_from_yaml  # rarely needed

    return spec_from_yaml(payload, kept["yaml"])


def _short(error: Exception) -> str:
    """The message of an error, without the payload, which may be secret."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return f"it has no {error}" if isinstance(error, KeyError) else str(error)


def _fields(m: Metadata) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "namespace": m.namespace,
        "type": m.type,
        "id": m.id,
        "version": format_version(m.version),
        "owner": m.owner,
        "phase": m.phase.value,
        "created": m.created.isoformat(),
        "updated": m.updated.isoformat(),
    }
    if m.uid is not None:
        fields["uid"] = str(uuid.UUID(int=m.uid))
    if m.labels:
        fields["labels"] = dict(m.labels)
    if m.annotations:
        fields["annotations"] = dict(m.annotations)
    if m.finalizers:
        fields["finalizers"] = m.finalizers
    return fields


def _metadata(fields: dict[str, Any]) -> Metadata:
    uid = fields.get("uid")
    return Metadata(
        fields["namespace"],
        fields["type"],
        fields["id"],
        parse_version(fields["version"]),
        fields["owner"],
        parse_phase(fields["phase"]),
        datetime.fromisoformat(fields["created"]),
        datetime.fromisoformat(fields["updated"]),
        FrozenMap(fields["labels"]) if "labels" in fields else EMPTY,
        FrozenMap(fields["annotations"]) if "annotations" in fields else EMPTY,
        tuple(fields.get("finalizers", ())),
        None if uid is None else uuid.UUID(uid).int,
    )

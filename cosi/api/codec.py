"""Encodes resources as bytes and decodes them; the encoded form is kept with the resource.

A resource is a value, so its bytes never change: a thousand watchers cost one encoding, and a
received resource is sent on with the same bytes. The payload is sent in both forms, as the protobuf
message that its class declares and as YAML; an :class:`~cosi.AnySpec` byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

from google.protobuf.message import DecodeError, Message
from google.protobuf.timestamp_pb2 import Timestamp

from cosi.api._limits import PAYLOAD_BYTES, YAML_BYTES, check_metadata, check_size
from cosi.api.payload import payload_codec
from cosi.api.proto import resource_pb2
from cosi.errors import InvalidResource
from cosi.resource._envelope import Resource, Tombstone
from cosi.resource._frozen import EMPTY, FrozenMap
from cosi.resource._metadata import Metadata, format_version, parse_phase, parse_version
from cosi.resource._payload import AnySpec, Spec
from cosi.resource._yaml_form import spec_from_yaml, spec_to_yaml

M = TypeVar("M", bound=Message)

PayloadOf = Callable[[str], type[Spec] | type[AnySpec]]
"""Returns the payload class of a type; :class:`~cosi.AnySpec` if it is not known."""


def encode(resource: Resource[Any]) -> bytes:
    """``cosi.resource.Resource`` for ``resource``; cached after the first call.

    Raises :class:`InvalidResource` for a value that its protobuf field cannot represent.
    """
    known = getattr(resource, "_encoded", None)
    if known is not None:
        return cast("bytes", known)
    return _keep(resource, _encode(resource))


def decode(data: bytes, payload_of: PayloadOf, *, limited: bool = False) -> Resource[Any]:
    """The resource in ``data``, which is kept with it.

    Raises :class:`InvalidResource` with COSI's text for a missing or invalid part; and, if
    ``limited``, :class:`~cosi.errors.LimitExceeded` for data that would take too long to read.
    """
    if limited:
        check_metadata(data)
    message = parse(resource_pb2.Resource, data)
    if not message.HasField("metadata"):
        raise InvalidResource("metadata is missing")
    if not message.HasField("spec"):
        raise InvalidResource("spec is missing")
    metadata = _metadata(message.metadata)
    spec = _decode_spec(message.spec, payload_of(metadata.type), limited=limited)
    resource = Resource(metadata, spec)
    _keep(resource, data)
    return resource


def decode_tombstone(data: bytes) -> Tombstone:
    """The tombstone in ``data``: only its address and version count (differences: COSI 8).

    Raises :class:`InvalidResource` if ``data`` is not one.
    """
    metadata = _metadata(parse(resource_pb2.Resource, data).metadata)
    return Tombstone(Resource(metadata, AnySpec()).pointer, metadata.version)


def parse(message: type[M], data: bytes) -> M:
    """``data`` as a ``message``; raises :class:`InvalidResource` if it is not one."""
    try:
        return message.FromString(data)
    except DecodeError as error:
        raise InvalidResource(f"not a {message.__name__}: {error}") from error


def _keep(resource: Resource[Any], data: bytes) -> bytes:
    object.__setattr__(resource, "_encoded", data)  # a cache does not change the value
    return data


def _encode(resource: Resource[Any]) -> bytes:
    metadata = _metadata_message(resource.metadata)
    # A tombstone has an empty spec, because readers refuse a resource without one.
    tombstone = isinstance(resource, Tombstone)
    spec = resource_pb2.Spec() if tombstone else _spec_message(resource.spec)
    return resource_pb2.Resource(metadata=metadata, spec=spec).SerializeToString()


def _spec_message(spec: Spec | AnySpec) -> resource_pb2.Spec:
    if isinstance(spec, AnySpec):
        return resource_pb2.Spec(proto_spec=spec.proto, yaml_spec=spec.yaml)
    codec = payload_codec(type(spec))
    proto = codec.encode(spec) if codec is not None else b""
    return resource_pb2.Spec(proto_spec=proto, yaml_spec=spec_to_yaml(spec))


def _decode_spec(
    spec: resource_pb2.Spec, payload: type[Spec] | type[AnySpec], *, limited: bool
) -> Spec | AnySpec:
    """Decode protobuf, which is faster, if it is complete; else YAML.

    An empty message may be a payload of zeros, or come from a sender without a protobuf form.
    """
    if issubclass(payload, AnySpec):
        return AnySpec(spec.yaml_spec, spec.proto_spec)
    codec = payload_codec(payload)
    if codec is not None and (not spec.yaml_spec or (spec.proto_spec and codec.complete)):
        if limited:
            check_size("the payload as protobuf", len(spec.proto_spec), PAYLOAD_BYTES)
        return cast("Spec", codec.decode(spec.proto_spec, limited=limited))
    if limited:
        check_size("the payload as YAML", len(spec.yaml_spec), YAML_BYTES, "letters")
    return spec_from_yaml(payload, spec.yaml_spec)


def _metadata_message(metadata: Metadata) -> resource_pb2.Metadata:
    return resource_pb2.Metadata(
        namespace=metadata.namespace,
        type=metadata.type,
        id=metadata.id,
        version=format_version(metadata.version),
        owner=metadata.owner,
        phase=metadata.phase.value,
        created=metadata.created,
        updated=metadata.updated,
        finalizers=metadata.finalizers,
        labels=metadata.labels,
        annotations=metadata.annotations,
    )


def _metadata(message: resource_pb2.Metadata) -> Metadata:
    return Metadata(
        message.namespace,
        message.type,
        message.id,
        parse_version(message.version),
        message.owner,
        parse_phase(message.phase),
        _moment(message.created),
        _moment(message.updated),
        FrozenMap(message.labels) if message.labels else EMPTY,
        FrozenMap(message.annotations) if message.annotations else EMPTY,
        tuple(dict.fromkeys(message.finalizers)),
    )


def _moment(timestamp: Timestamp) -> datetime:
    """The time; a missing one is the epoch, as in COSI."""
    try:
        return timestamp.ToDatetime(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidResource(f"not a point in time: {error}") from error

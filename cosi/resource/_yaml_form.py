"""Reads and writes resources as YAML documents (COSI: "YAML form").

::

    metadata:
        namespace: runtime
        type: ServiceGates.runtime.talos.dev
        id: ext-hello
        version: 1
        owner:
        phase: running
        created: 2026-11-22T10:00:00Z
        updated: 2026-11-22T10:00:00Z
    spec:
        waitingFor:
            - "network: addresses"

Scalars of the metadata are always text: ``id: 123`` is the id ``123``.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from yaml.nodes import CollectionNode, Node, ScalarNode

from cosi.errors import InvalidResource
from cosi.resource._envelope import Resource, check_name
from cosi.resource._frozen import EMPTY, FrozenMap
from cosi.resource._metadata import Metadata, format_version, parse_phase, parse_version
from cosi.resource._payload import AnySpec, Spec
from cosi.resource._phase import Phase
from cosi.resource._types import EVERY_TYPE, TypeRegistry
from cosi.resource._unknowns import ANY_TYPE, Unknown
from cosi.resource._yaml_loading import root_of
from cosi.resource._yaml_reading import YamlDocument, documents
from cosi.resource._yaml_writing import YamlText, compact, for_people

T = TypeVar("T")

# -- writing ----------------------------------------------------------------------------------


def to_yaml(*resources: Resource[Any]) -> str:
    """Write resources, one document each."""
    return "---\n".join(_document(resource) for resource in resources)


def spec_to_yaml(spec: Spec | AnySpec) -> str:
    """Write only the payload; for an :class:`AnySpec` it is the original text."""
    if isinstance(spec, AnySpec):
        return spec.yaml
    return compact(_plain(spec))


def rfc3339(time: datetime) -> str:
    """``2026-11-22T10:00:00Z``: whole seconds, in the zone of ``time``."""
    return time.isoformat(timespec="seconds").replace("+00:00", "Z")


def _plain(spec: Spec) -> Any:
    return spec.model_dump(mode="json", by_alias=True)


def _document(resource: Resource[Any]) -> str:
    metadata = {"metadata": metadata_fields(resource.metadata)}
    if isinstance(resource.spec, AnySpec):
        return for_people(metadata) + _embedded(resource.spec.yaml)
    return for_people({**metadata, "spec": _plain(resource.spec)})


def metadata_fields(m: Metadata) -> dict[str, Any]:
    """The metadata for :func:`~cosi.resource._yaml_writing.for_people`; all scalars are text."""
    fields: dict[str, Any] = {
        "namespace": YamlText(m.namespace),
        "type": YamlText(m.type),
        "id": YamlText(m.id),
        "version": YamlText(format_version(m.version)),
        "owner": YamlText(m.owner),
        "phase": YamlText(m.phase.value),
        "created": YamlText(rfc3339(m.created)),
        "updated": YamlText(rfc3339(m.updated)),
    }
    for name, values in (("labels", m.labels), ("annotations", m.annotations)):
        if values:
            fields[name] = {YamlText(key): YamlText(values[key]) for key in sorted(values)}
    if m.finalizers:
        fields["finalizers"] = [YamlText(name) for name in m.finalizers]
    return fields


def _embedded(text: str) -> str:
    """``spec:`` and the original text of a payload, on one line if a scalar or in flow style."""
    text = text.removeprefix("---\n").rstrip("\n")
    if not text:
        return "spec: {}\n"
    root = root_of(text)
    beside = isinstance(root, ScalarNode) or (isinstance(root, CollectionNode) and root.flow_style)
    if root is None or not beside or root.start_mark.line > 0:
        return f"spec:\n{_shifted(text)}"
    if isinstance(root, ScalarNode) and root.style in {"|", ">"}:
        return (
            f"spec: {text.lstrip(' ')}\n"  # its lines are indented, perhaps with an explicit hint
        )
    return f"spec: {_shifted(text).lstrip(' ')}"


def _shifted(text: str) -> str:
    return "".join(f"    {line}\n" if line else "\n" for line in text.split("\n"))


# -- reading ----------------------------------------------------------------------------------


def resources_from_yaml(
    text: str,
    *,
    source: str = "<yaml>",
    types: TypeRegistry = EVERY_TYPE,
    unknown: Unknown = ANY_TYPE,
) -> tuple[Resource[Any], ...]:
    """Read all documents of ``text``; empty ones are skipped.

    ``id`` and ``type`` are required. ``namespace`` defaults to that of the type, and the rest of
    the metadata to that of a new resource. ``unknown`` decides which unknown types and fields are
    accepted; unknown keys of the metadata are ignored unless it refuses them.

    The output of ``cosi get -o yaml`` and ``talosctl get -o yaml`` can be read: ``node:`` is
    ignored. For the output of a watch, whose documents have an ``event:``, the resources that
    exist after the last event are returned.

    Raises :class:`~cosi.errors.InvalidResource`, whose message begins with ``source:line:column:``.
    """
    found: dict[object, Resource[Any]] = {}
    for number, document in enumerate(documents(text, source)):
        parts = document.mapping(document.root, "a mapping with metadata and spec")
        event = _event(document, parts)
        resource = _resource(document, parts, types, unknown, gone=event == "destroyed")
        if event == "destroyed":
            found.pop(resource.pointer, None)
        else:
            found[resource.pointer if event else number] = resource
    return tuple(found.values())


def spec_from_yaml(payload: type[Spec] | type[AnySpec], text: str) -> Spec | AnySpec:
    """Read only a payload; raises :class:`~cosi.errors.InvalidResource` with line and column."""
    if issubclass(payload, AnySpec):
        return AnySpec(text)
    for document in documents(text, "spec"):
        return document.validated(payload, document.root, "spec")
    return payload()


def _event(document: YamlDocument, parts: dict[str, Node]) -> str | None:
    """The event of the document, if it is the output of a watch."""
    for key in parts.keys() - {"node", "event", "metadata", "spec"}:
        raise document.error(document.root, f"unexpected key {key!r}")
    _scalar(document, parts, "node")
    event = _scalar(document, parts, "event")
    if event not in {None, "created", "updated", "destroyed"}:
        raise document.error(parts["event"], "expected created, updated or destroyed in event")
    return event


def _resource(
    document: YamlDocument,
    parts: dict[str, Node],
    types: TypeRegistry,
    unknown: Unknown,
    *,
    gone: bool,
) -> Resource[Any]:
    if "metadata" not in parts or not (gone or "spec" in parts):
        raise document.error(document.root, "metadata or spec node is missing")
    fields = document.mapping(parts["metadata"], "a mapping in metadata")
    type = _required(document, parts["metadata"], fields, "type")
    payload = types.payload(type)
    if issubclass(payload, AnySpec) and (problem := unknown.type_problem(type, types)):
        raise document.error(fields["type"], problem)
    metadata = _metadata(document, parts["metadata"], fields, payload)
    for name, node in fields.items():
        if problem := unknown.metadata_problem(name):
            raise document.error(node, problem)
    if gone:
        return Resource(metadata, AnySpec())
    if issubclass(payload, AnySpec):
        return Resource(metadata, AnySpec(document.text_of(parts["spec"])))
    return Resource(metadata, document.validated(payload, parts["spec"], "spec", unknown))


def _metadata(
    document: YamlDocument,
    node: Node,
    fields: dict[str, Node],
    payload: type[Spec] | type[AnySpec],
) -> Metadata:
    type = _required(document, node, fields, "type")
    if namespace := fields.get("namespace"):
        where = document.scalar(namespace, "a scalar in namespace")
    elif issubclass(payload, AnySpec):
        known = f"no class of {type} is loaded, which would have a default"
        raise document.error(node, f"expected namespace, as {known}: add namespace: NAME")
    else:
        where = payload.__cosi__.default_namespace
    created = _time(document, fields, "created")
    metadata = Metadata(
        where,
        type,
        _required(document, node, fields, "id"),
        _parsed(document, fields, "version", parse_version),
        _scalar(document, fields, "owner") or "",
        _parsed(document, fields, "phase", parse_phase) or Phase.RUNNING,
        created,
        _time(document, fields, "updated") or created,
        _texts(document, fields, "labels"),
        _texts(document, fields, "annotations"),
        _names(document, fields, "finalizers"),
    )
    try:
        check_name(metadata)
    except InvalidResource as error:
        raise document.error(node, str(error)) from None
    return metadata


def _scalar(document: YamlDocument, fields: dict[str, Node], name: str) -> str | None:
    node = fields.get(name)
    return None if node is None else document.scalar(node, f"a scalar in {name}")


def _required(document: YamlDocument, node: Node, fields: dict[str, Node], name: str) -> str:
    value = _scalar(document, fields, name)
    if value is None:
        raise document.error(node, f"expected {name} in metadata")
    return value


def _parsed(
    document: YamlDocument, fields: dict[str, Node], name: str, parse: Callable[[str], T]
) -> T | None:
    text = _scalar(document, fields, name)
    if text is None:
        return None
    try:
        return parse(text)
    except (InvalidResource, ValueError) as error:
        raise document.error(fields[name], f"failed to parse {name}: {error}") from error


def _time(document: YamlDocument, fields: dict[str, Node], name: str) -> datetime | None:
    return _parsed(document, fields, name, _parse_time)


def _parse_time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return time


def _texts(document: YamlDocument, fields: dict[str, Node], name: str) -> FrozenMap[str, str]:
    node = fields.get(name)
    if node is None:
        return EMPTY
    entries = document.mapping(node, f"a mapping in {name}")
    return FrozenMap({k: document.scalar(v, f"a scalar in {name}") for k, v in entries.items()})


def _names(document: YamlDocument, fields: dict[str, Node], name: str) -> tuple[str, ...]:
    node = fields.get(name)
    if node is None:
        return ()
    items = document.sequence(node, f"a sequence in {name}")
    return tuple(dict.fromkeys(document.scalar(item, f"a scalar in {name}") for item in items))

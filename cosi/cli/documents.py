"""Renders whole resources as YAML and JSON documents, in the form of talosctl.

``resource_table.py`` renders tables; ``printing.py`` selects the format.
"""

from __future__ import annotations

from typing import Any, Final

from cosi.cli.go_json import go_json
from cosi.errors import InvalidResource
from cosi.resource._envelope import Resource, Tombstone
from cosi.resource._metadata import Metadata, format_version
from cosi.resource._payload import AnySpec
from cosi.resource._yaml_form import metadata_fields, rfc3339, spec_to_yaml, to_yaml
from cosi.resource._yaml_loading import root_of
from cosi.resource._yaml_reading import documents
from cosi.resource._yaml_writing import YamlText, for_people
from cosi.state._watch import EventType

EVENT_NAMES: Final = {
    EventType.CREATED: "created",
    EventType.UPDATED: "updated",
    EventType.DESTROYED: "destroyed",
}


def as_yaml(node: str, resource: Resource[Any], event: EventType | None = None) -> str:
    """One document: ``node:`` first, then ``event:`` in a watch; the payload's scalars keep
    their style.

    A payload that is not YAML (another server may send one) is shown as received.
    """
    head: dict[str, Any] = {"node": YamlText(node)}
    if event is not None:
        head["event"] = EVENT_NAMES[event]
    metadata = {"metadata": metadata_fields(resource.metadata)}
    if isinstance(resource, Tombstone):
        return for_people(head) + for_people(metadata)
    text = spec_to_yaml(resource.spec)
    root = root_of(text)
    if root is None:
        return for_people(head) + to_yaml(resource.evolve(spec=AnySpec(text)))
    return for_people(head) + for_people({**metadata, "spec": root})


def as_json(node: str, resource: Resource[Any], event: EventType | None = None) -> str:
    """One object, its keys sorted, indented by 4."""
    return go_json(as_value(node, resource, event), indent=4)


def as_value(node: str, resource: Resource[Any], event: EventType | None = None) -> dict[str, Any]:
    """The document as plain data, for JSON and for templates."""
    value: dict[str, Any] = {"node": node, "metadata": _metadata(resource.metadata)}
    if event is not None:
        value["event"] = EVENT_NAMES[event]
    if not isinstance(resource, Tombstone):
        value["spec"] = spec_value(resource)
    return value


def spec_value(resource: Resource[Any]) -> Any:
    """The payload as plain data, read by the rules of YAML 1.2: times and ``yes`` are text."""
    if isinstance(resource, Tombstone):
        return None
    for document in documents(spec_to_yaml(resource.spec), str(resource)):
        return document.value(document.root)
    return {}


def _metadata(metadata: Metadata) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "namespace": metadata.namespace,
        "type": metadata.type,
        "id": metadata.id,
        "version": metadata.version or format_version(metadata.version),
        "owner": metadata.owner or None,
        "phase": metadata.phase.value,
        "created": rfc3339(metadata.created),
        "updated": rfc3339(metadata.updated),
    }
    optional = {
        "labels": dict(metadata.labels),
        "annotations": dict(metadata.annotations),
        "finalizers": list(metadata.finalizers),
    }
    return fields | {name: value for name, value in optional.items() if value}


def check_format(name: str) -> None:
    """Raise :class:`InvalidResource` for an unknown format, in talosctl's words."""
    if name not in {"table", "yaml", "json"} and not name.startswith("jsonpath="):
        raise InvalidResource(
            f'output format "{name}" is not supported; use table, yaml, json or jsonpath=EXPR'
        )

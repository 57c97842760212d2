"""Resources as `cosi get` shows them in full: YAML and JSON, as talosctl writes both."""

from __future__ import annotations

import json
from typing import Any, Final, cast

import yaml

from cosi.errors import InvalidResource
from cosi.metadata import Metadata, format_version
from cosi.resource import AnySpec, Resource, Tombstone
from cosi.watch import EventType
from cosi.yaml_form import rfc3339, spec_to_yaml, to_yaml
from cosi.yaml_reading import documents

EVENT_NAMES: Final = {
    EventType.CREATED: "created",
    EventType.UPDATED: "updated",
    EventType.DESTROYED: "destroyed",
}
# What Go's encoding/json writes otherwise in strings, so that JSON is safe inside of HTML.
_HTML_SAFE: Final = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Dumper(yaml.SafeDumper):
    """Indents what is in an item of a list by 2, all else to the next multiple of 4, as Go does."""

    _step = 4

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        outer = self.indent
        super().increase_indent(flow, indentless=False)
        if outer is not None:
            self._step = 2 if self.sequence_context else 4 - outer % 4
            self.indent = outer + self._step

    def determine_block_hints(self, text: str) -> str:
        """What is said of the indent of a text that begins with a blank: how far it really is."""
        return super().determine_block_hints(text).replace("4", str(self._step))


def as_yaml(node: str, resource: Resource[Any], event: EventType | None = None) -> str:
    """One document: ``node:`` first, then ``event:`` in a watch, indented by 4."""
    head = {"node": node} | ({} if event is None else {"event": EVENT_NAMES[event]})
    if isinstance(resource, Tombstone):
        # It has no payload, and to_yaml would ask for one.
        empty: Resource[AnySpec] = Resource(resource.metadata, AnySpec())
        return _dump(head) + to_yaml(empty).partition("spec:")[0]
    return _dump(head) + to_yaml(resource.evolve(spec=_indented(resource)))


def as_json(node: str, resource: Resource[Any], event: EventType | None = None) -> str:
    """One object, its keys sorted, indented by 4."""
    return json_text(as_value(node, resource, event))


def json_text(value: Any) -> str:
    """JSON as Go's ``json.MarshalIndent`` writes it."""
    text = json.dumps(value, indent=4, sort_keys=True, ensure_ascii=False, default=str)
    return text.translate(_HTML_SAFE)


def as_value(node: str, resource: Resource[Any], event: EventType | None = None) -> dict[str, Any]:
    """What both forms say, as plain data."""
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


def _indented(resource: Resource[Any]) -> AnySpec:
    """The payload's YAML, its scalars as they are written, indented by 4.

    What is no YAML (another server's business) is shown as it came.
    """
    text = spec_to_yaml(resource.spec)
    try:
        node: Any = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError:
        return AnySpec(text)
    if node is None:
        return AnySpec("{}")
    serialize = cast("Any", yaml).serialize  # its stub leaves the type of the stream open
    written = str(serialize(node, Dumper=_Dumper, indent=4, width=1000, allow_unicode=True))
    return AnySpec(written.removesuffix("...\n"))  # below a scalar PyYAML writes one


def _dump(value: Any) -> str:
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def check_format(name: str) -> None:
    """Raise :class:`InvalidResource` for a name that no format has (talosctl's words)."""
    if name not in {"table", "yaml", "json"} and not name.startswith("jsonpath="):
        raise InvalidResource(
            f'output format "{name}" is not supported; say table, yaml, json or jsonpath=EXPR'
        )

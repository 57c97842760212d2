"""JSON Schemas of resources, and schemas that installed packages add, for editors.

Packages add one through the entry-point group ``cosi.schemas``: a name, and a function that
returns the schema.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

from cosi.cli._entry_points import entries
from cosi.errors import CosiError
from cosi.resource._payload import Value
from cosi.resource._phase import Phase
from cosi.state._meta import ResourceDefinition

GROUP: Final = "cosi.schemas"
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_TEXTS: Final = {"type": "object", "additionalProperties": {"type": "string"}}
_TIME: Final = {"type": "string", "format": "date-time"}


def installed_schema(name: str) -> dict[str, Any] | None:
    """The schema that a package has added as ``name``; ``None`` if there is none."""
    for entry in entries(GROUP):
        if entry.name == name:
            make: Callable[[], dict[str, Any]] = entry.load()
            return make()
    return None


def installed_names() -> list[str]:
    """The names of all added schemas."""
    return sorted({entry.name for entry in entries(GROUP)})


def value_schema(payload: type[Value]) -> dict[str, Any]:
    """The JSON Schema of a payload, or of a part of one, with the field names of the YAML form.

    Raises :class:`~cosi.errors.CosiError` if pydantic cannot express the payload.
    """
    try:
        schema = payload.model_json_schema(by_alias=True)
    except Exception as error:  # pydantic has no common error for this
        raise CosiError(f"{payload.__name__} has no JSON Schema: {error}") from error
    return cast("dict[str, Any]", _without_titles(schema))


def document_schema(definition: ResourceDefinition, payload: dict[str, Any]) -> dict[str, Any]:
    """The schema of a whole resource for ``cosi apply``; ``payload`` is a :func:`value_schema`."""
    spec = dict(payload)
    parts = spec.pop("$defs", {})
    metadata = {
        "type": "object",
        "required": ["type", "id"],
        "properties": {
            "namespace": {"type": "string", "default": definition.default_namespace},
            "type": {"const": definition.type},
            "id": {"type": "string"},
            "version": {"type": ["integer", "string"], "default": "undefined"},
            "owner": {"type": ["string", "null"]},
            "phase": {"enum": [phase.value for phase in Phase]},
            "created": _TIME,
            "updated": _TIME,
            "labels": _TEXTS,
            "annotations": _TEXTS,
            "finalizers": {"type": "array", "items": {"type": "string"}},
        },
    }
    return {
        "$schema": DIALECT,
        "title": definition.type,
        "description": spec.get("description", ""),
        "type": "object",
        "required": ["metadata", "spec"],
        "additionalProperties": False,
        "properties": {"metadata": metadata, "spec": spec},
        **({"$defs": parts} if parts else {}),
    }


def _without_titles(schema: Any) -> Any:
    """Drop pydantic's titles, which only repeat the names of the properties in capitals."""
    if isinstance(schema, list):
        return [_without_titles(part) for part in cast("list[Any]", schema)]  # type: ignore[redundant-cast]  # not to pyright
    if not isinstance(schema, dict):
        return schema
    return {
        key: {name: _without_titles(part) for name, part in value.items()}
        if key in {"properties", "$defs"}
        else _without_titles(value)
        for key, value in cast("dict[str, Any]", schema).items()
        if key != "title"
    }

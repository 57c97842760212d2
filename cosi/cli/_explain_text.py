"""Renders the text of ``cosi explain``: the docstrings and the JSON Schema of a type."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any, Final, cast

from cosi.cli.json_schema import value_schema
from cosi.cli.tabwriter import table
from cosi.errors import NotFound
from cosi.resource._payload import Spec
from cosi.state._meta import ResourceDefinition, resource_definition

WIDTH: Final = 88

Schema = dict[str, Any]

_ROLE: Final = re.compile(r":\w+:`~?(?:[\w.]+\.)?(\w+)`")  # :class:`~a.b.C` is C


class NoSuchField(NotFound):
    """The type, or the field, has no field of that name."""


def explain(payload: type[Spec], path: Sequence[str] = ()) -> str:
    """The text for a type, or for the field at ``path``; raises :class:`NoSuchField`."""
    return explain_schema(resource_definition(payload).spec, value_schema(payload), path)


def explain_schema(definition: ResourceDefinition, schema: Schema, path: Sequence[str] = ()) -> str:
    """The same for a type without a class here; raises :class:`NoSuchField`."""
    parts = schema.get("$defs", {})
    head = [*_head(definition)]
    for depth, name in enumerate(path):
        inner = _object_in(schema, parts)
        fields: Schema = inner.get("properties", {}) if inner else {}
        found = {known.lower(): known for known in fields}.get(name.lower())
        if inner is None or found is None:
            raise NoSuchField(_no_such(definition.type, path[:depth], name, list(fields)))
        schema = _field(fields[found], inner, found, parts)
    if path:
        head.append(("FIELD", f"{'.'.join(path)} {type_text(schema, parts)}"))
    return "\n".join(part for part in (table(head), *_body(schema, parts)) if part)


def _head(definition: ResourceDefinition) -> Iterator[tuple[str, str]]:
    yield "TYPE", definition.type
    yield "NAMESPACE", definition.default_namespace
    if definition.aliases:
        yield "ALIASES", ", ".join(definition.aliases)
    if definition.sensitivity:
        yield "READABLE BY", "administrators only"


def _body(schema: Schema, parts: Schema) -> Iterator[str]:
    inner = _object_in(schema, parts)
    texts = [str(one.get("description", "")) for one in (schema, inner or {})]
    for text in dict.fromkeys(filter(None, texts)):
        yield "\n" + _paragraphs(text, "")
    if inner is not None and inner.get("properties"):
        yield "\nFIELDS"
        for name in inner["properties"]:
            yield _field_text(name, _field(inner["properties"][name], inner, name, parts), parts)


def _field(field: Schema, owner: Schema, name: str, parts: Schema) -> Schema:
    """The field, with the description of its reference, and whether it is required (``needed``)."""
    return {**field, "needed": name in owner.get("required", ())} | (
        {"description": _described(field, parts)} if _described(field, parts) else {}
    )


def _described(field: Schema, parts: Schema) -> str:
    return str(field.get("description") or _referred(field, parts).get("description", ""))


def _field_text(name: str, field: Schema, parts: Schema) -> str:
    line = f"  {name} {type_text(field, parts)}"
    about = field.get("description", "")
    return line + (f"\n{_paragraphs(about, '      ')}" if about else "")


def type_text(field: Schema, parts: Schema) -> str:
    """``<list of text> (required)``, ``<integer> = 0``."""
    text = f"<{_type(field, parts)}>"
    if field.get("needed"):
        return f"{text} (required)"
    default = field.get("default")
    simple = isinstance(default, str | int | float) and default != ""
    return f"{text} = {json.dumps(default)}" if simple else text


def _type(field: Schema, parts: Schema) -> str:
    field = _referred(field, parts)
    if "anyOf" in field:
        options = [_type(option, parts) for option in field["anyOf"]]
        return " or ".join(dict.fromkeys(options))
    if "enum" in field:
        return " | ".join(str(value) for value in field["enum"])
    if field.get("type") == "array":
        return f"list of {_type(field.get('items', {}), parts)}"
    values: Any = field.get("additionalProperties")
    if field.get("type") == "object" and values:
        return f"map of {_type(values, parts)}"
    return _NAMES.get(str(field.get("type", "")), str(field.get("type", "anything")))


_NAMES = {"string": "text", "object": "mapping", "boolean": "true | false"}


def _referred(field: Schema, parts: Schema) -> Schema:
    reference = field.get("$ref")
    if reference is None and len(field.get("allOf", ())) == 1:
        reference = field["allOf"][0].get("$ref")
    return parts.get(str(reference).rpartition("/")[2], {}) if reference else field


def _object_in(field: Schema, parts: Schema) -> Schema | None:
    """The object schema of a field: its own, or that of its items, values or options."""
    field = _referred(field, parts)
    if "properties" in field:
        return field
    inside: list[Any] = [
        field.get("items"),
        field.get("additionalProperties"),
        *field.get("anyOf", ()),
    ]
    for part in inside:
        if isinstance(part, dict) and (found := _object_in(cast("Schema", part), parts)):
            return found
    return None


def _no_such(type: str, path: Sequence[str], name: str, known: Sequence[str]) -> str:
    where = ".".join([type, *path])
    if not known:
        return f'{where} has no fields, so no "{name}"'
    return f'{where} has no field "{name}"; it has {", ".join(known)}'


def _paragraphs(text: str, indent: str) -> str:
    """A docstring with its paragraphs wrapped; indented ones (examples) stay as they are."""
    plain = _ROLE.sub(r"\1", text).replace("``", "").strip()
    return "\n\n".join(_paragraph(part, indent) for part in plain.split("\n\n"))


def _paragraph(text: str, indent: str) -> str:
    if text.startswith(" "):
        return textwrap.indent(text, indent)
    return textwrap.fill(
        " ".join(text.split()), WIDTH, initial_indent=indent, subsequent_indent=indent
    )

"""The policy for unknown types, fields and metadata keys in YAML documents."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from cosi.resource._payload import Value
from cosi.resource._spelling import fields_beside, name_hint, type_hint
from cosi.resource._types import TypeRegistry

METADATA: Final = (
    "namespace", "type", "id", "version", "owner", "phase",
    "created", "updated", "labels", "annotations", "finalizers",
)  # fmt: skip


@dataclass(frozen=True)
class Unknown:
    """Which unknown parts are accepted: types as they are, fields and keys by leaving them out.

    ``defined`` are types that are known elsewhere: to the server that is written to.
    """

    types: bool = True
    fields: bool = False
    metadata: bool = True
    defined: Collection[str] = ()

    def type_problem(self, type: str, known: TypeRegistry) -> str | None:
        """The problem with a type without a class here; ``None`` if it is accepted."""
        if self.types or type in self.defined:
            return None
        hint = type_hint(type, {*known.by_type(), *self.defined})
        return f'type "{type}" is not defined{hint or "; `cosi get rd` lists the types"}{_WAY_OUT}'

    def metadata_problem(self, name: str) -> str | None:
        """The problem with a key of the metadata; ``None`` if it is accepted."""
        if self.metadata or name in METADATA:
            return None
        return f"metadata.{name}: no such field{name_hint(name, METADATA)}{_WAY_OUT}"

    def field_problem(self, payload: type[Value], problem: ErrorDetails) -> str:
        """pydantic's message for ``problem``; for an unknown field, a suggestion."""
        if problem["type"] != "extra_forbidden":
            return problem["msg"]
        place = problem["loc"]
        hint = name_hint(str(place[-1]), fields_beside(payload, place))
        return f"no such field{hint}{'' if self.metadata else _WAY_OUT}"


_WAY_OUT: Final = " (--allow-unknown accepts unknown types and fields)"

ANY_TYPE: Final = Unknown()
"""For documents that programs wrote: only the fields of known types are checked."""
ANY_TYPE_OF_PERSONS: Final = Unknown(metadata=False)
"""For documents that users wrote, until it is known which types exist."""
REFUSED: Final = Unknown(types=False, metadata=False)
"""For documents that users wrote."""
ALLOWED: Final = Unknown(fields=True)


def without_unknown(value: Any, error: ValidationError) -> bool:
    """Remove the fields from ``value`` that ``error`` calls unknown; return whether any was."""
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    places = [one["loc"] for one in problems if one["type"] == "extra_forbidden"]
    taken = [_taken_out(value, place) for place in places]
    return any(taken)


def _taken_out(value: Any, place: tuple[int | str, ...]) -> bool:
    for step in place[:-1]:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return False  # this step is pydantic's name for one alternative of a union
    if not isinstance(value, dict):
        return False
    fields = cast("dict[str, Any]", value)
    found = place[-1] in fields
    fields.pop(str(place[-1]), None)
    return found

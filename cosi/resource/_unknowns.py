"""What of a YAML document may be unknown: types that are defined nowhere, fields of known types."""

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
    """Whether an unknown type is taken as it is, and an unknown field or key left out.

    ``defined`` are types that are known elsewhere: to the server that is written to.
    """

    types: bool = True
    fields: bool = False
    metadata: bool = True
    defined: Collection[str] = ()

    def type_problem(self, type: str, known: TypeRegistry) -> str | None:
        """What is wrong with a type of which no class is known."""
        if self.types or type in self.defined:
            return None
        hint = type_hint(type, {*known.by_type(), *self.defined})
        return f'type "{type}" is not defined{hint or "; `cosi get rd` lists the types"}{_WAY_OUT}'

    def metadata_problem(self, name: str) -> str | None:
        """What is wrong with a key of the metadata, where documents are read strictly."""
        if self.metadata or name in METADATA:
            return None
        return f"metadata.{name}: no such field{name_hint(name, METADATA)}{_WAY_OUT}"

    def field_problem(self, payload: type[Value], problem: ErrorDetails) -> str:
        """pydantic's words for ``problem``; of an unknown field, which one may be meant."""
        if problem["type"] != "extra_forbidden":
            return problem["msg"]
        place = problem["loc"]
        hint = name_hint(str(place[-1]), fields_beside(payload, place))
        return f"no such field{hint}{'' if self.metadata else _WAY_OUT}"


_WAY_OUT: Final = " (--allow-unknown takes what is not known)"

ANY_TYPE: Final = Unknown()
"""For documents of programs: fields of known types have to be known, all else is their affair."""
ANY_TYPE_OF_PERSONS: Final = Unknown(metadata=False)
"""For what a person has written, as long as it is not clear which types there are."""
REFUSED: Final = Unknown(types=False, metadata=False)
"""For what a person has written."""
ALLOWED: Final = Unknown(fields=True)


def without_unknown(value: Any, error: ValidationError) -> bool:
    """Take the fields out of ``value`` that ``error`` calls unknown; whether there were any."""
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    places = [one["loc"] for one in problems if one["type"] == "extra_forbidden"]
    taken = [_taken_out(value, place) for place in places]
    return any(taken)


def _taken_out(value: Any, place: tuple[int | str, ...]) -> bool:
    for step in place[:-1]:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return False  # pydantic's name for one of several alternatives
    if not isinstance(value, dict):
        return False
    fields = cast("dict[str, Any]", value)
    found = place[-1] in fields
    fields.pop(str(place[-1]), None)
    return found

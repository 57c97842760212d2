"""Fixtures: loads resources from YAML into a state, for tests and ``cosi run --fixtures``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cosi.errors import InvalidResource
from cosi.resource._envelope import Resource
from cosi.resource._types import EVERY_TYPE, TypeRegistry
from cosi.resource._unknowns import ALLOWED, REFUSED
from cosi.resource._yaml_form import resources_from_yaml
from cosi.state._state import State

MAX_BYTES = 16 * 1024 * 1024


def load_fixtures(
    path: str | Path, *, types: TypeRegistry = EVERY_TYPE, allow_unknown: bool = False
) -> tuple[Resource[Any], ...]:
    """Read the resources of a file: one or more YAML documents of ``metadata`` and ``spec``.

    ``metadata`` needs ``type`` and ``id``; the rest defaults to that of a new resource. The output
    of ``cosi get -o yaml`` and ``talosctl get -o yaml`` is accepted. A type that is not in
    ``types`` and an unknown field are refused, unless ``allow_unknown``: then the resource is taken
    as it is, and the field left out. Raises :class:`~cosi.errors.InvalidResource`, whose message
    begins with the file, and the line and column if known.
    """
    file = Path(path)
    try:
        if file.stat().st_size > MAX_BYTES:
            raise InvalidResource(f"{file}: larger than {MAX_BYTES} bytes")
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidResource(f"{file}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise InvalidResource(f"{file}: not UTF-8 at byte {error.start}") from error
    unknown = ALLOWED if allow_unknown else REFUSED
    return resources_from_yaml(text, source=str(file), types=types, unknown=unknown)


async def feed(state: State, resources: tuple[Resource[Any], ...]) -> None:
    """Put fixtures into a state, each with the owner that it names; existing ones are replaced.

    Raises :class:`~cosi.errors.OwnerConflict` if an existing resource has another owner.
    """
    for resource in resources:
        await state.apply(resource, owner=resource.owner)

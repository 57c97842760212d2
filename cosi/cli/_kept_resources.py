"""What `cosi run --reload` keeps of an in-memory state: the resources of users.

Controllers make their own resources again. A fixture that is unchanged is read from its file
again, which may have changed as well.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from typing import Any, Final

from cosi.errors import CosiError
from cosi.resource._envelope import Resource, kind_of
from cosi.resource._yaml_form import resources_from_yaml, to_yaml
from cosi.state._operations import kind_of_resource
from cosi.state._state import State
from cosi.store._memory import InMemoryState

_SOURCE: Final = "<kept>"

_log = logging.getLogger(__name__)


async def kept_resources(
    state: InMemoryState, fixtures: Collection[Resource[Any]]
) -> tuple[str, ...]:
    """Documents of all resources without an owner, but for those that are being torn down."""
    as_read = {fixture.pointer: _content(fixture) for fixture in fixtures}
    found = [resource for kind in state.kinds for resource in await state.list(kind)]
    return tuple(
        to_yaml(resource)
        for resource in found
        if not resource.owner
        and not resource.tearing_down
        and as_read.get(resource.pointer) != _content(resource)
    )


def _content(resource: Resource[Any]) -> tuple[object, ...]:
    return resource.spec, resource.labels, resource.metadata.annotations


async def feed_kept(state: State, documents: Iterable[str]) -> None:
    """Apply kept documents to a new state; one that does not fit the new source is logged."""
    for document in documents:
        try:
            for resource in resources_from_yaml(document, source=_SOURCE):
                await state.apply(_fresh(resource))
        except CosiError as error:
            _log.warning("a resource does not fit the new source, and is left out: %s", error)


def _fresh(resource: Resource[Any]) -> Resource[Any]:
    """The resource as if it was made now: its holders add their finalizers again."""
    m = resource.metadata
    kind = kind_of(kind_of_resource(resource))
    return Resource.new(m.id, resource.spec, kind=kind, labels=m.labels, annotations=m.annotations)

"""ServiceRequest → (files).

A person's stop lasts until a person's start, over any end of the supervisor, until the machine
boots: the state is in memory, so each stop is in a file of the run directory, too. What a file says
is a resource again before the next life's first controller runs (:func:`restore_requests`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Final

from pydantic import ValidationError
from typing_extensions import override

from controllers.paths import Paths
from controllers.supervision.boot_files import BootFiles
from cosi import Controller, Input, Resource, State
from resources.extension_service import SERVICE_PREFIX, name_mistakes
from resources.go_format import (
    os_error_text,
)
from resources.service_request import Desired, ServiceRequest

_log: Final = logging.getLogger(__name__)


class RequestsController(Controller):
    """Keeps the stops that people asked for in files, one for each service.

    A file that cannot be written is a failure of the pass, which is repeated.
    """

    requests = Input(ServiceRequest)

    def __init__(self, paths: Paths) -> None:
        self._files = BootFiles(paths.requests, paths.beneath)
        self._kept: dict[str, ServiceRequest] | None = None  # None: not read yet

    @override
    async def reconcile(self) -> None:
        requests = await self.requests.list()
        stops = {each.id: each.spec for each in requests if _is_kept(each)}
        self._keep(stops)  # a few bytes in memory, as what the runner remembers

    def _keep(self, stops: dict[str, ServiceRequest]) -> None:
        if self._kept is None:
            self._kept = dict(_read(self._files))
        for id in self._kept.keys() - stops.keys():
            self._files.remove(id)
            del self._kept[id]
        for id, stop in stops.items():
            if self._kept.get(id) != stop:
                self._files.write(id, stop.model_dump(mode="json", by_alias=True))
                self._kept[id] = stop
        if not self._kept:
            self._files.remove_directory()


def _is_kept(request: Resource[ServiceRequest]) -> bool:
    """Whether it is a stop of what can be a service: its id becomes the name of a file."""
    name = request.id.removeprefix(SERVICE_PREFIX)
    is_service = name != request.id and not any(name_mistakes(name))
    return is_service and not request.tearing_down and request.spec.desired is Desired.STOP


async def restore_requests(state: State, paths: Paths) -> None:
    """Make the stops that an earlier life has kept resources again, before controllers run.

    A request of a later generation that is there already, from a fixture, say, counts more.
    """
    try:
        kept = dict(_read(BootFiles(paths.requests, paths.beneath)))
    except OSError as error:
        _log.warning("what was stopped before cannot be read: %s", os_error_text(error))
        return
    for id, stop in kept.items():
        found = await state.find(ServiceRequest, id)
        if found is None:
            await state.create(Resource.new(id, stop))
        elif found.spec.generation < stop.generation and not found.tearing_down:
            await state.update(found.evolve(spec=stop), owner=found.owner)


def _read(files: BootFiles) -> Iterator[tuple[str, ServiceRequest]]:
    for id, fields in files.read():
        try:
            yield id, ServiceRequest.model_validate(fields)
        except ValidationError as error:
            _log.warning("%s: what was asked of it before is not understood: %s", id, error)

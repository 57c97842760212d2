"""ServiceRequest → (files in the run directory).

A user's stop stays in force until a user's start, across restarts of the supervisor, until the
machine reboots. The state is in memory, so each stop is also written to a file in the run
directory. The next supervisor restores the resources from these files before its first controller
runs (:func:`restore_requests`).
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
    """Stores the requested stops in files, one for each service.

    If a file cannot be written, the pass fails and is retried.
    """

    requests = Input(ServiceRequest)

    def __init__(self, paths: Paths) -> None:
        self._files = BootFiles(paths.requests, paths.beneath)
        self._kept: dict[str, ServiceRequest] | None = None  # None: not read yet

    @override
    async def reconcile(self) -> None:
        requests = await self.requests.list()
        stops = {each.id: each.spec for each in requests if _is_kept(each)}
        self._keep(stops)  # blocking is fine: a few bytes on a tmpfs, as the runner's checkpoints

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
    """Whether it is a stop with a valid service id, which becomes the name of a file."""
    name = request.id.removeprefix(SERVICE_PREFIX)
    is_service = name != request.id and not any(name_mistakes(name))
    return is_service and not request.tearing_down and request.spec.desired is Desired.STOP


async def restore_requests(state: State, paths: Paths) -> None:
    """Restore the stops of a previous supervisor as resources, before controllers run.

    An existing request with a later generation, for example from a fixture, takes precedence.
    """
    try:
        kept = dict(_read(BootFiles(paths.requests, paths.beneath)))
    except OSError as error:
        _log.warning(
            "the stop requests of the previous run cannot be read: %s", os_error_text(error)
        )
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
            _log.warning("invalid stop request of the previous run for %s: %s", id, error)

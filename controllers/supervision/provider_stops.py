"""Stops of providers (services that others depend on): each waits until its dependents are down."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import anyio

from controllers.supervision.supervisor import Supervisor
from controllers.supervision.supervisors import SupervisorSet
from cosi import Requeue
from resources.go_format import (
    quote,
)
from resources.service_request import Desired, ServiceRequest

_log = logging.getLogger(__name__)


class ProviderStops:
    """The stop requests that wait for dependents, each for ``seconds`` at most."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until: dict[str, float] = {}  # by the provider that is to stop

    @property
    def waiting(self) -> Iterable[str]:
        """The ids of the providers whose stop is held back."""
        return tuple(self._until)

    def forget(self, id: str) -> None:
        """No longer hold back a stop of this provider."""
        self._until.pop(id, None)

    def hold_back(
        self, supervisor: Supervisor, request: ServiceRequest | None, supervisors: SupervisorSet
    ) -> tuple[ServiceRequest | None, Requeue | None]:
        """Hold back a request to stop a provider until its dependents are down.

        Returns the request to act upon now, and when to call this again. Stops the dependents,
        those without dependents of their own first.
        """
        id = supervisor.id
        if request is None or not _stops_dependents(request, supervisor):
            self.forget(id)
            return request, None
        living = supervisors.living_dependents(id)
        now = anyio.current_time()
        deadline = self._until.setdefault(id, now + self._seconds)
        if living and now < deadline:
            for dependent in living:
                if not supervisors.living_dependents(dependent.id):
                    dependent.hold()
            return supervisor.requested, Requeue(after=deadline - now)
        for dependent in living:
            text = 'gave up on service %s to be "down" while stopping %s'
            _log.warning(text, quote(dependent.id), quote(id))
            dependent.hold()
        self.forget(id)
        return request, None


def _stops_dependents(request: ServiceRequest, supervisor: Supervisor) -> bool:
    """Whether it is a stop with dependents that was not acted upon, now or in a previous run."""
    desired = supervisor.life.desired
    return (
        request.with_dependents
        and request.desired is Desired.STOP
        and not desired.restored
        and request.generation != desired.request
    )

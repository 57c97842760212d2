"""Maps a change of a mapped input to the keys of a queue that it concerns."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from cosi.controller._declarations import Everything, Mapped
from cosi.controller._wakeup import Reason
from cosi.resource._envelope import Resource
from cosi.resource._pointer import Pointer
from cosi.state._metrics import ControllerStatistics
from cosi.state._watch import Event


class KeyQueue(Protocol):
    """The part of the adapter that a mapping uses."""

    name: str
    log: logging.Logger
    statistics: ControllerStatistics
    known: dict[str, None]  # the keys that exist

    def enqueue(self, id: str, what: Any, why: Event[Any] | Reason) -> None:
        """Make a key due."""
        ...

    def failed(
        self, error: BaseException, attempt: int, delay: float, pointer: Pointer | None = None
    ) -> None:
        """Count and keep a failure."""
        ...


class KeyMapping:
    """One mapped input; ``number`` tells its events from those of other inputs."""

    __slots__ = ("_number", "_queue", "_targets")

    def __init__(
        self, queue: KeyQueue, number: int, targets: Callable[[Resource[Any]], Any]
    ) -> None:
        self._queue = queue
        self._number = number
        self._targets = targets

    def changed(self, event: Event[Any]) -> None:
        """Make the keys of the resource's old and of its new state due."""
        queue = self._queue
        queue.statistics.mapped_in += 1
        ids: dict[str, None] = {}
        try:
            for resource in (event.old, event.resource):
                if resource is not None:
                    ids.update(dict.fromkeys(self._ids(self._targets(resource))))
        except Exception as error:  # a user's function, called inside a commit
            self._failed(error, event.resource.pointer)
            ids = dict(queue.known)
        queue.statistics.mapped_out += len(ids)
        key = (self._number, event.resource.metadata.id)
        for id in ids:
            queue.enqueue(id, key, event)

    def _ids(self, targets: Any) -> Iterable[str]:
        if targets is None:
            return ()
        if isinstance(targets, str):
            return (targets,)
        return self._queue.known if isinstance(targets, Everything) else targets

    def _failed(self, error: Exception, pointer: Pointer) -> None:
        queue = self._queue
        queue.failed(error, 1, 0.0, pointer)
        queue.log.error(
            "mapping %s failed; every key gets a pass",
            pointer,
            exc_info=error,
            extra={"controller": queue.name, "job": "map"},
        )


def targets_of(declared: Mapped[Any], controller: object) -> Callable[[Resource[Any]], Any]:
    """The function from a resource of a mapped input to the keys that it concerns."""
    if declared.by is not None:
        return declared.by.__get__(controller)  # type: ignore[no-any-return]  # a function in a class body
    if isinstance(declared.to, Everything):
        every = declared.to
        return lambda resource: every
    return declared.to

"""A user's request to start, stop or restart a service."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field

from cosi import Spec


class Desired(StrEnum):
    """The possible requests."""

    START = "start"
    STOP = "stop"
    RESTART = "restart"


class ServiceRequest(
    Spec,
    type="ServiceRequests.runtime.talos.dev",
    columns={"Desired": "{.desired}", "Generation": "{.generation}"},
    proto={"desired": 1, "generation": 2, "withDependents": 3},
):
    """The latest request for one service. It stays in force: a stopped service stays stopped.

    Neither a changed config nor a rescan of the definitions undoes a stop (differences: Talos 9),
    nor does an end of the supervisor, orderly or not; it stays in force until the machine reboots.
    A later request undoes it, as does the removal of this resource. Each generation is executed
    once; ``ServiceState.request`` is the generation of the last one. Writing the same request twice
    has no further effect.
    """

    desired: Desired = Desired.START
    generation: Annotated[int, Field(ge=1)] = 1
    """The number of the request; see :meth:`next`."""
    with_dependents: bool = False
    """For a stop: whether its dependents stop before it does, in reverse order."""

    def next(self, desired: Desired, *, with_dependents: bool = False) -> Self:
        """The request that follows this one."""
        return self.evolve(
            desired=desired, generation=self.generation + 1, with_dependents=with_dependents
        )

"""What a person asked of a service: to start, to stop, or to restart."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field

from cosi import Spec


class Desired(StrEnum):
    """What can be asked of a service."""

    START = "start"
    STOP = "stop"
    RESTART = "restart"


class ServiceRequest(
    Spec,
    type="ServiceRequests.runtime.talos.dev",
    columns={"Desired": "{.desired}", "Generation": "{.generation}"},
    proto={"desired": 1, "generation": 2, "withDependents": 3},
):
    """The latest wish about one service. It lasts: a service that was stopped stays so.

    Neither a changed config nor a rescan of the definitions undoes a stop (differences: Talos 9),
    nor does any end of the supervisor, orderly or not: it lasts until the machine boots. A later
    request undoes it, and so does taking this resource away. One generation is acted upon once:
    ``ServiceState.request`` says which one was, and writing the same wish twice is writing it once.
    """

    desired: Desired = Desired.START
    generation: Annotated[int, Field(ge=1)] = 1
    """Counts the wishes; see :meth:`next`."""
    with_dependents: bool = False
    """For a stop: those that depend on the service stop before it does, in reverse order."""

    def next(self, desired: Desired, *, with_dependents: bool = False) -> Self:
        """The wish that follows this one."""
        return self.evolve(
            desired=desired, generation=self.generation + 1, with_dependents=with_dependents
        )

"""What became of one definition file, and why."""

from __future__ import annotations

from cosi import Spec
from resources.problem import Problem


class ServiceFileStatus(
    Spec,
    type="ServiceFileStatuses.runtime.talos.dev",
    columns={
        "Service": "{.service}",
        "Accepted": "{.accepted}",
        "In Force": "{.inForce}",
        "Message": "{.message}",
    },
    proto={"service": 1, "accepted": 2, "inForce": 3, "message": 4, "problems": 5},
):
    """One file of the definition directory; the resource id is the file's name."""

    service: str = ""
    """The name that the file defines, or defined when it was last accepted; of a file that never
    was, the name that it would define, if it has one."""
    accepted: bool
    """Whether the file as it is now defines that service."""
    in_force: bool
    """Whether the service is there by this file. Also true of a rejected file whose earlier text
    goes on being used: a slip of the pen stops nothing that runs."""
    message: str = ""
    """Why the file was rejected, in Talos's words; empty if it was not."""
    problems: tuple[Problem, ...] = ()
    """Every error and every warning, with its place."""

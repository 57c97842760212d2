"""The status of one definition file: accepted or rejected, and why."""

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
    """The name that the file defines, or defined when it was last accepted; for a file that never
    was accepted, the name that it would define, if any."""
    accepted: bool
    """Whether the current content defines that service."""
    in_force: bool
    """Whether the service exists because of this file. Also true for a rejected file whose last
    accepted content stays in force, so that a typing error stops no running service."""
    message: str = ""
    """Why the file was rejected, with Talos's message; empty if it was not."""
    problems: tuple[Problem, ...] = ()
    """All errors and warnings, each with its place."""

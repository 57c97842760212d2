"""What became of one file of configuration documents, and why."""

from __future__ import annotations

from cosi import Spec
from resources.problem import (
    Problem,
)


class ConfigSourceStatus(
    Spec,
    type="ConfigSourceStatuses.runtime.talos.dev",
    columns={"Accepted": "{.accepted}", "Documents": "{.documents}", "Message": "{.message}"},
    proto={
        "present": 1,
        "accepted": 2,
        "documents": 3,
        "message": 4,
        "problems": 5,
        "services": 6,
        "variables": 7,
        "rejected": 8,
    },
):
    """One file of configuration documents; the resource id is its path as it was given."""

    present: bool = True
    """Whether there is such a file; it may come later."""
    accepted: bool
    """Whether the file as it is now is in force; if not, what it said before goes on."""
    documents: int = 0
    """How many services are configured by it."""
    message: str = ""
    """Why it was rejected; empty if it was not."""
    problems: tuple[Problem, ...] = ()
    """Every error and every warning, with its place."""
    services: tuple[str, ...] = ()
    """The names of the services that it configures, by what it says now or said when it was last
    good; sorted."""
    variables: int = 0
    """How many variables of the machine's environment come from it."""
    rejected: tuple[str, ...] = ()
    """The names of the services for which it is not in force as it is now; sorted."""

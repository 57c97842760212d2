"""The status of one file of configuration documents: accepted or rejected, and why."""

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
    """One file of configuration documents; the resource id is its path as given."""

    present: bool = True
    """Whether the file exists; it may be created later."""
    accepted: bool
    """Whether the current content is in force; if not, the last accepted content stays in force."""
    documents: int = 0
    """The number of services that it configures."""
    message: str = ""
    """Why it was rejected; empty if it was not."""
    problems: tuple[Problem, ...] = ()
    """All errors and warnings, each with its place."""
    services: tuple[str, ...] = ()
    """The names of the services that it configures, by its current or its last accepted content;
    sorted."""
    variables: int = 0
    """How many variables of the machine's environment it sets."""
    rejected: tuple[str, ...] = ()
    """The names of the services for which the current content is not in force; sorted."""

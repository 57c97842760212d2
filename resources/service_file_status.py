"""What became of one definition file, and why."""

from __future__ import annotations

from enum import StrEnum

from cosi import Spec, Value


class Severity(StrEnum):
    """Whether a problem makes the file unusable."""

    ERROR = "error"
    WARNING = "warning"


class Problem(Value, proto={"line": 1, "column": 2, "severity": 3, "text": 4}):
    """Something that is wrong with a text, and where; ``line`` and ``column`` count from 1."""

    line: int
    column: int
    severity: Severity
    text: str

    def __str__(self) -> str:
        return f"{self.line}:{self.column}: {self.severity}: {self.text}"


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

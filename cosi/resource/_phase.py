"""The phase of a resource: it exists, or it is being torn down."""

from enum import StrEnum


class Phase(StrEnum):
    """Whether a resource is to exist or is being torn down."""

    RUNNING = "running"
    TEARING_DOWN = "tearingDown"

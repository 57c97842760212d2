"""Whether a resource is meant to be there, or is being torn down."""

from enum import StrEnum


class Phase(StrEnum):
    """Whether a resource is meant to be there."""

    RUNNING = "running"
    TEARING_DOWN = "tearingDown"

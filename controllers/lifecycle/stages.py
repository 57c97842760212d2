"""What there is to do for a service at one moment, and what may come of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from resources.service_state import ServicePhase


class Stage(Enum):
    """What is to be done now; see the module."""

    IDLE = auto()
    WAITING = auto()
    PREPARING = auto()
    CREATING = auto()
    LAUNCHING = auto()
    RUNNING = auto()
    TERMINATING = auto()
    KILLING = auto()
    REAPING = auto()
    RELEASING = auto()
    PAUSED = auto()


STARTING_UP: Final = frozenset({Stage.PREPARING, Stage.CREATING, Stage.LAUNCHING})
"""A stop waits for these to be given up: they may have made something just now."""


@dataclass(frozen=True, slots=True)
class Done:
    """The stage's work succeeded."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The stage's work failed; ``text`` is for people."""

    text: str


@dataclass(frozen=True, slots=True)
class Started:
    """The container runs; ``notes`` say what had to be left out."""

    pid: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Exited:
    """The run is over, and how it ended."""

    code: int | None
    """128 + n after death by signal n; ``None`` if the container is gone and nobody knows how."""
    last_log: str = ""
    """The end of its output, at most 512 bytes of it, unquoted."""
    reason: str = ""
    """What kept its program from being executed, if that is known."""


@dataclass(frozen=True, slots=True)
class TimeUp:
    """The time of the stage is over."""


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The stage's work was given up, because :attr:`Lifecycle.interrupted` said so."""


Outcome = Done | Failed | Started | Exited | TimeUp | Interrupted


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a service comes to, and the message of that event; the publisher adds the time.

    As the end of a start it is final, or (``WAITING``) another try follows after a pause.
    """

    phase: ServicePhase
    text: str

    @property
    def again(self) -> bool:
        """Whether there is another run, ``policy.RESTART_SECONDS`` later."""
        return self.phase is ServicePhase.WAITING

"""The stages of a service, and their possible outcomes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from resources.service_state import ServicePhase


class Stage(Enum):
    """The current work of a supervisor; see the drawing in ``lifecycle.py``."""

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
"""A stop waits until these stages are given up: they may just have created something."""


@dataclass(frozen=True, slots=True)
class Done:
    """The stage's work succeeded."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The stage's work failed; ``text`` is the error for users."""

    text: str


@dataclass(frozen=True, slots=True)
class Started:
    """The container runs; ``notes`` list the settings that had to be left out."""

    pid: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Exited:
    """The run has ended."""

    code: int | None
    """The exit code; 128 + n for signal n; ``None`` if the container is gone and it is unknown."""
    last_log: str = ""
    """The end of its output, at most 512 bytes, unquoted."""
    reason: str = ""
    """Why its program could not be executed, if known."""


@dataclass(frozen=True, slots=True)
class TimeUp:
    """The time of the stage has expired."""


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The stage's work was given up, because :attr:`Lifecycle.interrupted` was set."""


Outcome = Done | Failed | Started | Exited | TimeUp | Interrupted


@dataclass(frozen=True, slots=True)
class Verdict:
    """The next phase of a service, and the message of that event; the publisher adds the time.

    As the result of a start it is final, or (``WAITING``) another try follows after a pause.
    """

    phase: ServicePhase
    text: str

    @property
    def again(self) -> bool:
        """Whether another run follows, ``policy.RESTART_SECONDS`` later."""
        return self.phase is ServicePhase.WAITING

"""What went wrong with a controller, kept for whoever asks."""

from __future__ import annotations

from dataclasses import dataclass

from cosi.resource import Pointer


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed pass: of which controller, on which resource (keyed ones), and why.

    ``retry_seconds`` is the delay before the next try; ``attempt`` counts from 1, for the
    controller or for the key, and begins again after a success.
    """

    controller: str
    error: BaseException
    attempt: int
    retry_seconds: float
    resource: Pointer | None = None

    def __str__(self) -> str:
        where = f" on {self.resource}" if self.resource else ""
        return f'controller "{self.controller}" failed{where}: {self.error!r}'

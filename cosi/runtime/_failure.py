"""A failure of a controller, kept in ``Runtime.failures``."""

from __future__ import annotations

from dataclasses import dataclass

from cosi.resource._pointer import Pointer


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed pass: the controller, the error, and the resource of a keyed controller.

    ``retry_seconds`` is the delay before the next try; ``attempt`` counts from 1, for the
    controller or for the key, and begins again after a success.

    A refused watch of an input or output is a failure too, without a pass: ``error`` is an
    :class:`~cosi.errors.AccessDenied` or :class:`~cosi.errors.Unsupported` that names the input or
    output and the remedy. The state's own error is its ``__cause__``.
    """

    controller: str
    error: BaseException
    attempt: int
    retry_seconds: float
    resource: Pointer | None = None

    def __str__(self) -> str:
        where = f" on {self.resource}" if self.resource else ""
        return f'controller "{self.controller}" failed{where}: {self.error!r}'

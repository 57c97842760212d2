"""Saves the checkpoints of supervisors; one that cannot be written now is written later."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from controllers.lifecycle.checkpoint import (
    Checkpoint,
)
from controllers.supervision.checkpoints import Checkpoints
from cosi import TaskSet


class CheckpointSaver:
    """Saves to ``checkpoints``; a write that fails is repeated with a growing delay."""

    def __init__(self, checkpoints: Checkpoints) -> None:
        self._checkpoints = checkpoints
        self._late: TaskSet[None] = TaskSet(self._write, ended=self._written)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """The time in which writes are repeated."""
        async with self._late:
            yield

    def save(self, id: str, checkpoint: Checkpoint | None) -> None:
        """Save this of one service, and nothing else; ``None``: nothing."""
        if not self._checkpoints.save(id, checkpoint):
            self._late.start(id, None)

    async def _write(self, id: str, _: None) -> None:
        self._checkpoints.write(id)

    def _written(self, id: str) -> None:
        self._late.drop(id)

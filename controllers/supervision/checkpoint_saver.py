"""Saves the checkpoints of supervisors, and retries writes that fail."""

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
        """Retry failed writes while the context is open."""
        async with self._late:
            yield

    def save(self, id: str, checkpoint: Checkpoint | None) -> None:
        """Replace the checkpoint of one service; ``None`` removes it."""
        if not self._checkpoints.save(id, checkpoint):
            self._late.start(id, None)

    async def _write(self, id: str, _: None) -> None:
        self._checkpoints.write(id)

    def _written(self, id: str) -> None:
        self._late.drop(id)

"""What a supervisor makes known of its service: the state to publish, the checkpoint to save."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime

from controllers.lifecycle.checkpoint import (
    Checkpoint,
)
from controllers.lifecycle.lifecycle import Lifecycle
from resources.service_state import ServiceEvent, ServicePhase, ServiceState

Clock = Callable[[], datetime]
Publish = Callable[[str, ServiceState], Awaitable[object]]
Save = Callable[[str, Checkpoint | None], object]

_log = logging.getLogger(__name__)


class ServiceRecord:
    """Follows the lifecycle of one service: saves its checkpoint, then publishes its state.

    ``state`` is the state as published, perhaps by a previous supervisor. Several events of one
    moment are one write; an unchanged state is not written again.
    """

    def __init__(
        self, id: str, state: ServiceState, publish: Publish, save: Save, clock: Clock
    ) -> None:
        self.state = state
        self._id = id
        self._publish = publish
        self._save = save
        self._clock = clock
        self._checkpoint: Checkpoint | None = None  # as it was saved last
        self._published = False

    def restore(self, checkpoint: Checkpoint, *, over: bool) -> None:
        """Start from the checkpoint of a previous supervisor; ``over`` if no container is left.

        Adds the checkpoint's last event if that supervisor had not published it.
        """
        self._checkpoint = checkpoint
        if not over or not checkpoint.text:
            return
        text, phase = checkpoint.text, checkpoint.phase
        event = ServiceEvent(text=text, phase=phase, timestamp=checkpoint.at or self._clock())
        known = bool(self.state.events) and self.state.events[-1].text == text
        self.state = self.state.happened(
            *(() if known else (event,)), phase=phase, message=text, exit_code=checkpoint.exit_code
        )

    async def bring_up_to(self, life: Lifecycle) -> None:
        """Bring the record up to ``life``: first the checkpoint, then the published state."""
        self._save_checkpoint(life.checkpoint)
        await self.publish(life)

    def _save_checkpoint(self, checkpoint: Checkpoint | None) -> None:
        if checkpoint:
            before = self._checkpoint
            checkpoint = replace(checkpoint, at=before.at if before else self._clock())
        if checkpoint != self._checkpoint:
            self._checkpoint = checkpoint
            self._save(self._id, checkpoint)

    async def publish(self, life: Lifecycle) -> None:
        """Publish the state if it has changed, with its pending events."""
        now, events = life.progress, self._take_events(life)
        changes: dict[str, object] = {
            "phase": events[-1].phase if events else self.state.phase,
            "pid": now.pid,
            "exit_code": now.exit_code,
            "restarts": now.restarts,
            "request": life.desired.request,
        }
        if changes["phase"] is ServicePhase.RUNNING and now.pid is None:
            # Its process is gone, and the clean-up still runs: no dependent may start.
            changes["phase"] = ServicePhase.STOPPING
        same = not events and all(getattr(self.state, k) == v for k, v in changes.items())
        if same and self._published:
            return
        self.state = self.state.happened(*events, **changes)
        self._published = True
        await self._publish(self._id, self.state)

    def _take_events(self, life: Lifecycle) -> list[ServiceEvent]:
        pending, life.progress.pending = life.progress.pending, []
        now, healthy = self._clock(), self.state.healthy
        for each in pending:
            _log.info("service[%s](%s): %s", self._id, each.phase, each.text)
        return [
            ServiceEvent(text=each.text, phase=each.phase, timestamp=now, healthy=healthy)
            for each in pending
        ]

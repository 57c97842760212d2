"""(clock) → TimeStatus.

Rules: Talos 1.14, ``time.SyncController``. Nothing is written before a fact is known. Talos sets
the clock itself and remembers its first success; here another program (or a hypervisor) sets it,
and the status is the current one. On a machine without such a program the policy is ``disabled``:
then the clock counts as right, and its jumps are still counted.
"""

from __future__ import annotations

from dataclasses import dataclass

import anyio
from typing_extensions import override

from controllers.host.clock import ClockFacts, ClockReader
from controllers.host.reader import Followed, HostReader, failures, first_words
from cosi import Controller, Output, Wakeups
from resources.time_status import TIME_STATUS_ID, TimeStatus


@dataclass(frozen=True, slots=True)
class TimePolicy:
    """The policy for the clock.

    ``boot_timeout_seconds``: this long after the start a wrong clock counts as right; 0 means never
    (Talos: ``machine.time.bootTimeout``).
    """

    disabled: bool = False
    boot_timeout_seconds: float = 0.0


def time_status(
    clock: ClockFacts | None, failed: bool, policy: TimePolicy, seconds_since_start: float
) -> TimeStatus | None:
    """The status for the facts; ``None`` while nothing is known."""
    given_up = 0 < policy.boot_timeout_seconds <= seconds_since_start
    if clock is None and not (failed or given_up or policy.disabled):
        return None
    return TimeStatus(
        synced=policy.disabled or given_up or (clock is not None and clock.synchronised),
        epoch=clock.jumps if clock else 0,
        sync_disabled=policy.disabled,
    )


class TimeStatusController(Controller):
    """Publishes whether the clock is in sync."""

    time = Output(TimeStatus, defer=True)

    def __init__(
        self, policy: TimePolicy = TimePolicy(), clock: HostReader[ClockFacts] | None = None
    ) -> None:
        """``clock`` defaults to a reader of the real clock."""
        self._policy = policy
        self._clock = Followed("clock", clock or ClockReader())
        self._started_at = 0.0

    @override
    async def run(self, wakeups: Wakeups, /) -> None:
        self._started_at = self._started_at or anyio.current_time()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._clock.follow, self.wake)
            await first_words(self._clock)
            await super().run(wakeups)

    @override
    async def reconcile(self) -> None:
        since_start = anyio.current_time() - self._started_at
        status = time_status(self._clock.fact, bool(self._clock.failure), self._policy, since_start)
        if since_start < self._policy.boot_timeout_seconds:
            self.wake_after(self._policy.boot_timeout_seconds - since_start)
        if status is not None:
            await self.time.apply(TIME_STATUS_ID, status, annotations=failures(self._clock))

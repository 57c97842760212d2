"""(network), ProbeSpec → ProbeStatus.

Rules: Talos 1.14, ``network.ProbeController``. The first attempt is made at once, then one at each
tick of the probe's interval; an attempt that takes longer skips ticks. A success is published at
once, a failure after as many in a row as the threshold says. Before that a probe has no status; the
status is removed with the probe.
"""

from __future__ import annotations

import anyio
from typing_extensions import override

from controllers.host.probing import NetworkProber, ProbeFailed, Prober
from cosi import Controller, Input, Output, TaskSet, Wakeups, idle
from resources.probe_spec import ProbeSpec
from resources.probe_status import ProbeStatus


def verdict(failures: int, threshold: int, error: str) -> ProbeStatus | None:
    """The status to publish after ``failures`` in a row; ``None`` to publish nothing."""
    if failures == 0:
        return ProbeStatus(success=True)
    if failures < threshold:
        return None
    return ProbeStatus(success=False, last_error=error)


def next_tick(start: float, interval: float, now: float) -> float:
    """The first tick after ``now`` of a clock that has ticked since ``start``."""
    return start + interval * ((now - start) // interval + 1)


class ProbeController(Controller):
    """Runs every probe, each at its own interval."""

    specs = Input(ProbeSpec, live_only=True)
    statuses = Output(ProbeStatus, defer=True)

    def __init__(self, prober: Prober | None = None) -> None:
        """``prober`` defaults to one for the real network."""
        self._prober = prober or NetworkProber()

    @override
    async def run(self, wakeups: Wakeups, /) -> None:
        async with TaskSet(self._probe) as tasks:
            async for _ in wakeups:
                wanted = {spec.id: spec.spec for spec in await self.specs.list()}
                await tasks.reconcile(wanted)
                await self.statuses.prune(keep=wanted)

    async def _probe(self, id: str, probe: ProbeSpec) -> None:
        start, interval = anyio.current_time(), probe.interval.total_seconds()
        failures = 0
        error = await self._attempt(probe)  # not idle: the first result counts for settled()
        while True:
            failures = failures + 1 if error else 0
            status = verdict(failures, probe.failure_threshold, error)
            if status is not None:
                await self.statuses.apply(id, status)
            with idle():
                await anyio.sleep_until(next_tick(start, interval, anyio.current_time()))
                error = await self._attempt(probe)

    async def _attempt(self, probe: ProbeSpec) -> str:
        """Return the error; empty if it succeeded."""
        try:
            await self._prober.attempt(probe)
        except ProbeFailed as error:
            return str(error)
        return ""

"""The engine: state, clock, timers, informers and failures that the adapters of a runtime share."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import anyio

from cosi._aio.loop_thread import LoopThread
from cosi.controller._backoff import Backoff
from cosi.controller._in_flight import InFlight
from cosi.runtime._failure import Failure
from cosi.runtime._informer import Informers
from cosi.runtime._rate_limit import RateLimit
from cosi.runtime._timers import Timers
from cosi.state._state import State

FAILURES_KEPT = 64


@dataclass(slots=True)
class Engine:
    """The state and the machinery of one runtime."""

    state: State
    backoff: Backoff
    rate_limit: RateLimit | None
    informers: Informers
    in_flight: InFlight = field(default_factory=InFlight)
    timers: Timers = field(default_factory=Timers)
    failures: deque[Failure] = field(default_factory=lambda: deque(maxlen=FAILURES_KEPT))
    failed: int = 0  # how many failures in all, those no longer kept included
    thread: LoopThread | None = None  # of the event loop, once the runtime runs
    clock: Callable[[], float] = anyio.current_time

    def report(self, failure: Failure) -> None:
        """Keep a failure, for ``Runtime.failures``."""
        self.failures.append(failure)
        self.failed += 1

"""Logs the status of a running program after SIGUSR1: runtime, controllers, applications."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

import anyio

from cosi.cli.application import Application
from cosi.runtime._runtime import Runtime

STATUS_SECONDS: Final = 10.0
"""How long each application may take for its status, also if its state hangs."""
CAUSES: Final = 5
"""How many causes of a controller's latest pass are named."""

_log = logging.getLogger(__name__)


async def log_status(runtime: Runtime, applications: Sequence[Application]) -> None:
    """Log one line for the runtime, each controller and each kept failure, then the applications'.

    Never raises: the error of an application is logged as a warning.
    """
    statistics = runtime.statistics()
    about: dict[str, object] = {"controllers": len(statistics), "busy": runtime.busy}
    about |= {"failures": runtime.failed, "watch_resyncs": runtime.watch_resyncs}
    _log.info("status: runtime", extra=about)
    for name, counted in statistics.items():
        numbers: dict[str, object] = {key: each for key, each in asdict(counted).items() if each}
        numbers["reconcile_busy"] = round(counted.reconcile_busy, 3)
        causes = runtime.latest_causes(name)
        more = f" and {len(causes) - CAUSES} more" if len(causes) > CAUSES else ""
        numbers["woken_by"] = ", ".join(map(str, causes[:CAUSES])) + more
        _log.info("status: controller %s", name, extra=numbers)
    for failure in runtime.failures:
        about = {"attempt": failure.attempt, "retry_seconds": failure.retry_seconds}
        _log.info("status: %s", failure, extra=about)
    for application in applications:
        await _log_application(application, runtime)
    _log.info("status: that is all")


async def _log_application(application: Application, runtime: Runtime) -> None:
    if application.status is None:
        return
    try:
        with anyio.fail_after(STATUS_SECONDS):
            for line in await application.status(runtime.state):
                _log.info("status: %s", line)
    except Exception as error:  # an application may raise anything; it continues to run
        _log.warning("status: an application reported no status: %r", error)

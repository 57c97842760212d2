"""The messages of service events, verbatim from Talos where it has them.

Talos 1.14, "Start sequence and verbatim messages", "Restart policies", "Stop sequence". For actions
that Talos does not have (takeover, retry of a preparation), the messages follow its pattern.
"""

from __future__ import annotations

from typing import Final

from controllers.lifecycle.stages import (
    Exited,
)
from resources.go_format import (
    quote,
)

STARTING: Final = "Starting service"
PRE_STATE: Final = "Running pre state"
CREATING_RUNNER: Final = "Creating service runner"
FINISHED: Final = "Service finished successfully"
ABORTING_RESTART: Final = "Aborting restart sequence"


def runner(id: str) -> str:
    """Talos's name for the runner of a service, with any driver."""
    return f"Containerd({id})"


def waiting_for(description: str) -> str:
    """The gate is closed; ``description`` has the unmet conditions."""
    return f"Waiting for {description}"


def started(id: str, pid: int) -> str:
    """The main process has started; ``pid`` is its id on the host."""
    return f"Started task {id} (PID {pid}) for container {id}"


def took_over(id: str, pid: int) -> str:
    """Ours, after Talos's pattern: a previous supervisor started the container."""
    return f"Took over task {id} (PID {pid}) of container {id}"


def sending(signal: str, id: str, pid: int) -> str:
    """Published before each signal of the stop sequence; ``signal`` is its name."""
    return f"Sending {signal} to task {id} (PID {pid}, container {id})"


def exited_again(id: str) -> str:
    """With policy *always*, after exit code 0."""
    return f"Runner {runner(id)} exited without error, going to restart it"


def failed_forever(id: str, error: str) -> str:
    """With policy *always*, after any other end."""
    return f"Error running {runner(id)}, going to restart forever: {error}"


def failed_until_success(id: str, error: str) -> str:
    """With policy *untilSuccess*, after any end but exit code 0."""
    return f"Error running {runner(id)}, going to restart until it succeeds: {error}"


def failed_running(error: str) -> str:
    """With policy *never*, after any end but exit code 0."""
    return f"failed running service: error running service: {error}"


def failed_pre(error: str) -> str:
    """The root filesystem could not be prepared."""
    return f"failed to run pre stage: {error}"


def failed_runner(error: str) -> str:
    """Mounts, environment or bundle could not be created."""
    return f"failed to create runner: {error}"


def failed_post(error: str) -> str:
    """The prepared files and mounts could not be removed."""
    return f"Failed to run post stage: {error}"


def failed_task(id: str, end: Exited) -> str:
    """Message for a run that failed, or whose exit status is unknown."""
    code = "exit status unknown" if end.code is None else f"exit code {end.code}"
    reason = f": {end.reason}" if end.reason else ""
    return f"task {quote(id)} failed: {code} (last log {quote(end.last_log)}){reason}"


def sentence(error: str) -> str:
    """An error as a message of its own: with its first letter in upper case."""
    return error[:1].upper() + error[1:]

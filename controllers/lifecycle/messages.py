"""What is said of a service: the messages of its events, word for word Talos's where it has any.

Talos 1.14, "Start sequence and verbatim messages", "Restart policies", "Stop sequence". Where we do
what Talos does not (taking over, retrying a preparation), the words follow its pattern.
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
    """What runs a service, as Talos names it, whatever the driver."""
    return f"Containerd({id})"


def waiting_for(description: str) -> str:
    """While the gate is not open; ``description`` is what does not hold."""
    return f"Waiting for {description}"


def started(id: str, pid: int) -> str:
    """Once the main process is there; ``pid`` as the host numbers it."""
    return f"Started task {id} (PID {pid}) for container {id}"


def took_over(id: str, pid: int) -> str:
    """Ours, after Talos's pattern: the container runs since an earlier life."""
    return f"Took over task {id} (PID {pid}) of container {id}"


def sending(signal: str, id: str, pid: int) -> str:
    """Before each signal of the stop sequence; ``signal`` by its name."""
    return f"Sending {signal} to task {id} (PID {pid}, container {id})"


def exited_again(id: str) -> str:
    """Policy *always*, after exit code 0."""
    return f"Runner {runner(id)} exited without error, going to restart it"


def failed_forever(id: str, error: str) -> str:
    """Policy *always*, after anything else."""
    return f"Error running {runner(id)}, going to restart forever: {error}"


def failed_until_success(id: str, error: str) -> str:
    """Policy *untilSuccess*, after anything but exit code 0."""
    return f"Error running {runner(id)}, going to restart until it succeeds: {error}"


def failed_running(error: str) -> str:
    """Policy *never*, after anything but exit code 0."""
    return f"failed running service: error running service: {error}"


def failed_pre(error: str) -> str:
    """The root filesystem could not be prepared."""
    return f"failed to run pre stage: {error}"


def failed_runner(error: str) -> str:
    """Mounts, environment or bundle could not be made."""
    return f"failed to create runner: {error}"


def failed_post(error: str) -> str:
    """What was prepared could not be taken away; shown as it is."""
    return f"Failed to run post stage: {error}"


def failed_task(id: str, end: Exited) -> str:
    """Of a run that ended badly, or that nobody knows how it ended."""
    code = "exit status unknown" if end.code is None else f"exit code {end.code}"
    reason = f": {end.reason}" if end.reason else ""
    return f"task {quote(id)} failed: {code} (last log {quote(end.last_log)}){reason}"


def sentence(error: str) -> str:
    """An error as a terminal message: its first letter in upper case."""
    return error[:1].upper() + error[1:]

"""Chooses the driver that runs the services of this machine, after a trial run.

A runtime that is installed may still be unable to start a container (in a sandbox, without cgroups,
crun on a machine with hybrid cgroups), so it has to run one before it is chosen.
"""

from __future__ import annotations

import functools
import json
import logging
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Final

from controllers.drivers.driver import DriverError
from controllers.drivers.local_driver import LocalDriver
from controllers.drivers.oci_driver import OCIDriver
from controllers.drivers.process_driver import ProcessDriver
from controllers.oci.cgroups import Cgroups
from controllers.oci.host_facts import HostFacts, read_host_facts
from controllers.oci.runtime import command_environment, logged_words
from controllers.oci.spec import Bundle, cgroup_path, oci_spec
from controllers.output.console import Show
from controllers.paths import Paths
from resources.container_spec import ContainerSpec

RUNTIMES: Final = ("runc", "crun")
CHOICES: Final = ("auto", *RUNTIMES, "process")

_log: Final = logging.getLogger("cosi.containers")

_TRIAL: Final = "cosi-trial"
_TRIAL_SECONDS: Final = 30
_PROGRAM: Final = "/bin/true"
# The directories of the host that its programs need to run.
_HOST: Final = ("/usr", "/bin", "/lib", "/lib64", "/lib32", "/nix")


class RuntimeUnavailable(DriverError):
    """The requested runtime is not available; the text has the reason and the remedy."""


def choose_driver(
    name: str,
    paths: Paths,
    *,
    console: Show | None = None,
    environment: tuple[str, ...] = (),
) -> LocalDriver:
    """The driver of that name; ``auto`` takes the first runtime that works here, else ``process``.

    ``console`` shows the output of services that ask for it; ``environment`` is the machine's.
    A fallback to ``process`` is logged as a warning, in one line. Raises
    :class:`RuntimeUnavailable` if the requested runtime does not work on this machine.
    """
    if name == "process":
        return ProcessDriver(paths, console=console, environment=environment)
    runtimes = RUNTIMES if name == "auto" else (name,)
    reasons: list[str] = []
    for runtime in runtimes:
        reason = why_not(runtime)
        if not reason:
            return OCIDriver(runtime, paths, console=console, environment=environment)
        reasons.append(reason)
    # The reasons are often the same: without root no runtime works.
    line = "; ".join(dict.fromkeys(reasons))
    if name != "auto":
        raise RuntimeUnavailable(line)
    _log.warning("services run as plain processes, without isolation: %s", line)
    return ProcessDriver(paths, console=console, environment=environment)


@functools.cache
def why_not(runtime: str) -> str:
    """Why a runtime does not work on this machine, with the remedy; "" if it works."""
    if runtime not in RUNTIMES:
        return f"unknown runtime {runtime}: choose one of {', '.join(CHOICES)}"
    if os.geteuid() != 0:
        return "containers need root: run it with sudo"
    if not shutil.which(runtime):
        return f"{runtime} is not installed: apt install {runtime}"
    if not Cgroups().usable:
        return "no cgroups: mount -t cgroup2 none /sys/fs/cgroup"
    if problem := _try(runtime):
        return f"{runtime} cannot start a container here: {problem}"
    return ""


def _try(runtime: str) -> str:
    """Run the host's ``true`` in a container like a service's; return the error, or ""."""
    version = subprocess.run((runtime, "--version"), capture_output=True, check=False)  # noqa: S603
    facts = read_host_facts(version.stdout.decode(errors="replace"), f"{_TRIAL}-{os.getpid()}")
    with tempfile.TemporaryDirectory(prefix="cosi-") as directory:
        return _run(runtime, Path(directory), facts)


def _run(runtime: str, directory: Path, facts: HostFacts) -> str:
    (directory / "rootfs").mkdir()
    (directory / "config.json").write_text(json.dumps(_trial(directory, facts)))
    log = directory / "log"
    flags = (runtime, "--root", str(directory / "state"), "--log", str(log))
    name = f"{_TRIAL}-{os.getpid()}"
    try:
        done = subprocess.run(  # noqa: S603
            (*flags, "run", "--bundle", str(directory), name),
            env=command_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_TRIAL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        subprocess.run((*flags, "delete", "--force", name), capture_output=True, check=False)  # noqa: S603
        return f"it did not end within {_TRIAL_SECONDS} seconds"
    finally:
        Cgroups().remove_empty(cgroup_path(name, facts))
    return "" if done.returncode == 0 else logged_words(log) or f"exit code {done.returncode}"


def _trial(directory: Path, facts: HostFacts) -> dict[str, Any]:
    container = ContainerSpec(name=f"{_TRIAL}-{os.getpid()}", entrypoint=_PROGRAM)
    specification = oci_spec(container, facts, Bundle(directory / "rootfs", directory))
    specification["mounts"] = [
        *(mount for mount in specification["mounts"] if mount["type"] != "bind"),
        *(
            {"destination": path, "type": "bind", "source": path, "options": ["rbind", "ro"]}
            for path in _HOST
            if Path(path).exists()
        ),
    ]
    return specification

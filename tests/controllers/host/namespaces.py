"""Run a test in a network and a host name of its own, which leaves this machine's as they are.

On asyncio in a thread: what it starts is in its namespaces. On trio in a process: trio keeps worker
threads from one run to the next, and those would be in the old ones.
"""

import ctypes
import shutil
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import pytest

_NEW_UTS, _NEW_NET = 0x04000000, 0x40000000
_ROOT = Path(__file__).parents[3]

Body = Callable[[], Awaitable[None]]


def _may_unshare() -> bool:
    """Root is not almighty everywhere."""
    command = ["unshare", "--net", "--uts", "--mount", "true"]
    return (
        shutil.which("unshare") is not None
        and not subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode
    )


needs_namespaces = pytest.mark.skipif(
    not _may_unshare(), reason="needs a root that may make namespaces and mounts"
)


def in_own_namespaces(backend: str, body: Body) -> None:
    """Run ``body``, a function of a module, on the backend."""
    if backend == "asyncio":
        _in_a_thread(body)
    else:
        _in_a_process(backend, body)


def _in_a_thread(body: Body) -> None:
    failure: list[BaseException] = []

    def run() -> None:
        try:
            _unshare()
            anyio.run(body)
        except BaseException as error:  # raised again in the thread that waits
            failure.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]


def _unshare() -> None:
    if ctypes.CDLL(None, use_errno=True).unshare(_NEW_UTS | _NEW_NET):
        raise OSError(ctypes.get_errno(), "unshare")


def _in_a_process(backend: str, body: Body) -> None:
    code = (
        f"import anyio; from {body.__module__} import {body.__name__} as body; "
        f"anyio.run(body, backend={backend!r})"
    )
    python = ["unshare", "--net", "--uts", sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(python, cwd=_ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def ip(*commands: str) -> None:
    """Run commands of ip(8)."""
    for command in commands:
        subprocess.run(["ip", *command.split()], check=True, capture_output=True)

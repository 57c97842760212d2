"""A process that does something for each line that it reads, and reports the result in JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio


@contextmanager
def line_process(
    command: Sequence[str | Path], environment: Mapping[str, str] | None = None
) -> Iterator[Callable[..., Any]]:
    """A function that writes a line to the process and returns its answer.

    At the end its stdin is closed, and it is waited for.
    """
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, env=environment, **pipes) as process:
        stdin, stdout = process.stdin, process.stdout
        assert stdin
        assert stdout
        stdout.readline()  # it is ready

        def do(what: object = "") -> Any:
            stdin.write(f"{what}\n")
            stdin.flush()
            if not (answer := stdout.readline()):
                raise EOFError(f"{command[0]} has ended without an answer; stderr may say why")
            return json.loads(answer)

        yield do


async def answer_each_line(work: Callable[[], Awaitable[object]]) -> None:
    """The other side, in the process."""
    say("ready")
    while await anyio.to_thread.run_sync(sys.stdin.readline):
        say(await work())


def say(what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()

"""A service that floods a console which nobody reads stops neither others nor the supervisor.

Issue 14, item 13.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.cosi.cli.program import Machine

DEFINITION = "name: {0}\ncontainer: {{entrypoint: ./run}}\nrestart: never\nlogToConsole: true\n"
# Three million bytes: more than pipes and queues hold. That they are written is that they are read.
FLOOD = """\
#!/bin/sh
i=0
while [ $i -lt 3000 ]; do i=$((i+1)); echo {line}; done
echo done > done
sleep 1000 & wait
"""


def define(root: Path, name: str, script: str) -> Path:
    """A service, and where it runs; it has a FIFO named `done`."""
    rootfs = root / f"usr/local/lib/containers/{name}"
    rootfs.mkdir(parents=True)
    (rootfs / "run").write_text(script)
    (rootfs / "run").chmod(0o755)
    os.mkfifo(rootfs / "done")
    definitions = root / "usr/local/etc/containers"
    definitions.mkdir(parents=True, exist_ok=True)
    (definitions / f"{name}.yaml").write_text(DEFINITION.format(name))
    return rootfs


def test_a_flooded_console_that_nobody_reads_stops_nothing(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    rootfs = define(tmp_path, "flood", FLOOD.format(line="x" * 999))
    where = ("--root", str(tmp_path), "--runtime", "process")
    program = machine.begin("run", *where, "extension-services")
    try:
        with (rootfs / "done").open() as done:
            assert done.readline() == "done\n"
        services = machine.cosi("services")
        assert "ext-flood" in services.stdout, services.stderr
        program.send_signal(signal.SIGTERM)
        assert program.wait() == 0
    finally:
        program.send_signal(signal.SIGKILL)
        program.communicate()

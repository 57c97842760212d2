"""A machine of eight services whose supervisor is killed, and what must be true of it."""

from __future__ import annotations

import json
import math
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from controllers.oci.overlay import mounted_overlays
from controllers.paths import Paths
from controllers.processes.processes import all_processes, read_stat
from tests.controllers.manager import Manager
from tests.program.process import Program

# Counts, and writes the number to a file after it has printed it: the log must know it too.
COUNT = """
    trap 'echo "$id end"; exit 0' TERM
    read id < /proc/sys/kernel/random/uuid
    i=0
    while :; do
        i=$((i+1)); echo "$id $i"; echo "$i" > "$TRUTH/count-$NAME-$id"; sleep 0.02
    done
"""
ONCE = """
    read id < /proc/sys/kernel/random/uuid
    echo "$id 1"; sleep 0.1; echo "$id 2"; echo done >> "$TRUTH/done-$NAME"
"""
TRY = """
    read id < /proc/sys/kernel/random/uuid
    echo "$id 1"; echo x >> "$TRUTH/tries"; test "$(wc -l < "$TRUTH/tries")" -ge 4
"""
CRASH = """
    read id < /proc/sys/kernel/random/uuid
    echo "$id 1"; sleep 0.2; exit 3
"""
SERVICES = {
    "a": (COUNT, "always", ()),
    "b": (COUNT, "always", ()),
    "c": (COUNT, "always", ("ext-a",)),
    "edited": (COUNT, "always", ()),
    "comes-and-goes": (COUNT, "always", ()),
    "once": (ONCE, "never", ()),
    "tries": (TRY, "untilSuccess", ()),
    "crashes": (CRASH, "always", ()),
}


class Machine:
    """One tree and its supervisors, one after the other; `fate` decides all that is random.

    `manager` has started them, and holds what they ask it to: nobody's last words are lost.
    """

    def __init__(
        self,
        root: Path,
        runtime: str,
        rootfs: Callable[[str], Path],
        fate: random.Random,
        manager: Manager,
    ) -> None:
        self.paths = Paths(root)
        self.fate = fate
        self._runtime = runtime
        self.truth = root.parent / "truth"
        self.truth.mkdir()
        self._requests = root.parent / "requests.yaml"
        self._generation = 0
        self._log = root.parent / "cosi.log"
        self._marker = f"soak-{root.parent.name}-{os.getpid()}-"
        self.paths.definitions.mkdir(parents=True)
        for name in SERVICES:
            rootfs(name)
            self.define(name, 0)
        self.request("a", "start")
        self._supervisor: Program
        self.manager = manager

    # -- lives ------------------------------------------------------------------------------------

    def begin(self, *more: str) -> None:
        """Start a supervisor."""
        where = ("--root", str(self.paths.root), "--fixtures", str(self._requests))
        what = ("run", "extension-services", *where, "--runtime", self._runtime, *more)
        with self._log.open("ab") as log:
            environment = os.environ | {"NOTIFY_SOCKET": str(self.manager.address)}
            self._supervisor = Program(*what, output=log, environment=environment)

    def ended(self) -> int:
        """Wait for the end of the supervisor; its exit code."""
        with self._supervisor as supervisor:
            return supervisor.wait()

    def _kill(self) -> None:
        self._supervisor.send_signal(signal.SIGKILL)
        assert self.ended() == -signal.SIGKILL

    def measure(self) -> float:
        """Live until nearly every service runs; how many seconds that takes here and now."""
        began = time.monotonic()
        self.begin()
        while len(list(self.paths.containers.glob("*/state.json"))) < len(SERVICES) - 2:
            time.sleep(0.02)  # another process: its files are all that is seen of it
        self._kill()
        return time.monotonic() - began

    def live_and_be_killed(self, seconds: float) -> None:
        """Start a supervisor, let something happen, and kill it at a moment of its life."""
        self.begin()
        end = time.monotonic() + seconds
        deed = time.monotonic() + seconds * self.fate.random()
        while (now := time.monotonic()) < end:
            self.check_that_there_are_no_two()
            if now >= deed:
                self.let_something_happen()
                deed = math.inf
            time.sleep(max(0, min(0.1, end - now)))
        self._kill()
        self.check_that_there_are_no_two()

    def close(self) -> None:
        """End what should not be there any more, if a test failed."""
        self._supervisor.send_signal(signal.SIGKILL)
        self.ended()
        for _, pid in self.main_processes():
            os.kill(pid, signal.SIGKILL)
        for mount in list(mounted_overlays()):
            if mount.is_relative_to(self.paths.root):
                subprocess.run(("umount", "--lazy", mount), check=True)

    # -- what happens -----------------------------------------------------------------------------

    def let_something_happen(self) -> None:
        fate = self.fate
        deeds: list[Callable[[], object]] = [
            lambda: self.define("edited", fate.random()),
            lambda: self.define("comes-and-goes", 0),
            lambda: self._file("comes-and-goes").unlink(missing_ok=True),
            lambda: self.kill_one(fate.choice(("a", "b", "c"))),
            lambda: self.request("b", fate.choice(("stop", "start", "restart"))),
            lambda: None,
        ]
        fate.choice(deeds)()

    def define(self, name: str, version: object) -> None:
        script, restart, needs = SERVICES[name]
        there = str(self.truth)
        variables = {"NAME": name, "TRUTH": there, "VERSION": version, "PATH": "/bin:/usr/bin"}
        definition = {
            "name": name,
            "container": {
                "entrypoint": "/bin/sh",
                "args": ["-c", script, self._marker + name],
                "environment": [f"{key}={value}" for key, value in variables.items()],
                "mounts": [
                    {"source": there, "destination": there, "type": "bind", "options": ["bind"]}
                ],
            },
            "depends": [{"service": need} for need in needs],
            "restart": restart,
        }
        new = self._file(name).with_suffix(".new")
        new.write_text(json.dumps(definition))
        new.rename(self._file(name))

    def request(self, name: str, desired: str) -> None:
        """Ask something of a service, from the next supervisor's beginning on."""
        self._generation += 1
        kind = {"namespace": "runtime", "type": "ServiceRequests.runtime.talos.dev"}
        metadata = {**kind, "id": f"ext-{name}", "version": 1, "phase": "running"}
        spec = {"desired": desired, "generation": self._generation}
        self._requests.write_text(json.dumps({"metadata": metadata, "spec": spec}))

    def kill_one(self, name: str) -> None:
        for found, pid in self.main_processes():
            if found == name:
                os.kill(pid, signal.SIGKILL)

    def _file(self, name: str) -> Path:
        return self.paths.definitions / f"{name}.yaml"

    # -- what must be true ------------------------------------------------------------------------

    def main_processes(self) -> Iterator[tuple[str, int]]:
        """The living main processes of services, without what a shell has only just forked."""
        found = {
            stat.pid: (name, stat.parent)
            for stat in all_processes()
            if not stat.dead and (name := self._service(stat.pid))
        }
        for pid, (name, parent) in found.items():
            if parent not in found:
                yield name, pid

    def _service(self, pid: int) -> str:
        try:
            last = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").rpartition(b"\0")[2]
        except OSError:
            return ""
        return (
            last.decode(errors="replace").removeprefix(self._marker)
            if last.startswith(self._marker.encode())
            else ""
        )

    def check_that_there_are_no_two(self) -> None:
        found = [name for name, _ in self.main_processes()]
        if len(found) != len(set(found)):
            # One of them may have ended while the others were looked at.
            found = [name for name, pid in self.main_processes() if _lives(pid)]
        assert len(found) == len(set(found)), f"two at once: {found}"

    def check_that_each_has_an_owner(self) -> None:
        for name, pid in self.main_processes():
            state = self.paths.container(f"ext-{name}") / "state.json"
            # 0: it is there, and its supervisor was killed before it could write that down.
            assert json.loads(state.read_text())["pid"] in {0, pid}, name

    def check_the_logs(self) -> None:
        """No line is lost or comes twice, and no run begins before the one before it is over."""
        known = {name: list(self._runs(name)) for name in SERVICES}
        for name, runs in known.items():
            ids = [id for id, _ in runs]
            assert len(ids) == len(set(ids)), f"{name}: two runs at once: {ids}"
            for _, lines in runs:
                numbers = lines[:-1] if lines[-1] == "end" else lines
                assert numbers == [str(n) for n in range(1, len(numbers) + 1)], name
        for file in self.truth.glob("count-*"):
            _, name, id = _parts(file.name)
            lines = dict(known[name]).get(id, [])
            assert int(file.read_text() or 0) <= len(lines), f"{name}: lines of {id} are lost"
        self.manager.heard()
        assert self.manager.held == {}

    def _runs(self, name: str) -> Iterator[tuple[str, list[str]]]:
        log = self.paths.log(f"ext-{name}")
        id, lines = "", list[str]()
        for line in log.read_text().splitlines() if log.exists() else ():
            by, _, number = line.partition(" ")
            if not number:
                continue  # the shell says what became of its child
            if by != id and lines:
                yield id, lines
                lines = []
            id = by
            lines.append(number)
        if lines:
            yield id, lines

    def done(self, name: str) -> int:
        """How often a one-shot has come to its end."""
        file = self.truth / f"done-{name}"
        return len(file.read_text().splitlines()) if file.exists() else 0

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")


def _parts(name: str) -> tuple[str, str, str]:
    kind, _, rest = name.partition("-")
    return kind, rest[:-37], rest[-36:]


def _lives(pid: int) -> bool:
    stat = read_stat(pid)
    return stat is not None and not stat.dead

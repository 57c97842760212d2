"""By the real program: what a person has stopped stays stopped when the machine is restarted."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.cosi.cli.program import ROOT, Machine


def test_a_stop_lasts_over_an_orderly_restart_and_is_shown(tmp_path: Path) -> None:
    root = tmp_path / "rootfs"
    left_by_others = shutil.ignore_patterns("run", "var", "system")
    shutil.copytree(ROOT / "examples/rootfs", root, symlinks=True, ignore=left_by_others)
    machine = Machine(root)
    fixtures = str(ROOT / "examples/online.yaml")
    options = ("--runtime", "process", "--fixtures", fixtures, "--log-format", "console")
    running = ("extension-services", *options)
    with machine.running(*running):
        machine.until("service[ext-hello-world](Running)")
        assert machine.cosi("service", "ext-hello-world", "stop").stderr == ""
    for _ in range(2):
        with machine.running(*running):
            machine.until("service[ext-prepare](Finished)")
            shown = machine.cosi("service", "ext-hello-world").stdout
            assert "Finished" in shown
            requests = machine.cosi("get", "servicerequests").stdout.splitlines()
            assert "ext-hello-world" in requests[1]
            assert "stop" in requests[1]
    with machine.running(*running):
        assert machine.cosi("service", "ext-hello-world", "start").stderr == ""
        machine.until("service[ext-hello-world](Running)")
    with machine.running(*running):
        machine.until("service[ext-hello-world](Running)")

"""`kill -9` of `cosi run`, at any moment, harms no service.

Five moments in the suite, at most 200 in `make soak`; `COSI_SEED=...` is another life.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.controllers.conftest import OCI_RUNTIMES, paths, rootfs
from tests.controllers.killing.killed_machine import Machine
from tests.controllers.manager import Manager
from tests.controllers.runs import Runs
from tests.soak import Campaign

__all__ = ["paths", "rootfs"]

SEED = os.environ.get("COSI_SEED", "1")


@pytest.fixture(params=["process", *OCI_RUNTIMES])
def machine(
    request: pytest.FixtureRequest, tmp_path: Path, rootfs: Callable[[str], Path]
) -> Iterator[Machine]:
    with Manager(tmp_path / "notify") as manager:
        fate = random.Random(SEED)
        machine = Machine(tmp_path / "root", request.param, rootfs, fate, manager)
        yield machine
        machine.close()


@pytest.mark.lengthy
def test_a_supervisor_killed_at_random_moments_harms_no_service(
    machine: Machine, rootfs: Callable[[str], Path], campaign: Campaign
) -> None:
    remembered = 0
    start = min(machine.measure(), 0.3)
    for _ in campaign("kills", of=200, suite=5):
        machine.live_and_be_killed(start * machine.fate.choice((0.3, 1, 2)) * machine.fate.random())
        if remembered:
            assert machine.done("once") == remembered, "what was over has run again"
        elif (machine.paths.services / "ext-once.json").exists():
            remembered = machine.done("once")
    machine.live_and_be_killed(2 * start)
    machine.check_that_each_has_an_owner()
    machine.request("b", "start")  # a person's stop would outlast the end
    machine.begin("--once")
    assert machine.ended() == 0, machine.log
    machine.check_the_logs()
    assert list(machine.main_processes()) == []
    assert Runs(machine.paths, rootfs).left_behind() == []
    assert "Traceback" not in machine.log

"""Which driver is taken, and the one line that says why not another."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from controllers.drivers.choose import RuntimeUnavailable, choose_driver, why_not
from controllers.oci.cgroups import Cgroups
from controllers.paths import Paths


@pytest.fixture(autouse=True)
def asked_anew() -> Iterator[None]:
    why_not.cache_clear()
    yield
    why_not.cache_clear()


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any runtime, whose programs are in the directory that is returned."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def program(directory: Path, name: str, script: str) -> None:
    (directory / name).write_text(f"#!/bin/sh\n{script}\n")
    (directory / name).chmod(0o755)


def test_process_needs_nothing(paths: Paths, machine: Path) -> None:
    assert choose_driver("process", paths).name == "process"


@pytest.mark.root
def test_a_runtime_that_is_not_installed_says_how_to_get_it(paths: Paths, machine: Path) -> None:
    with pytest.raises(RuntimeUnavailable) as caught:
        choose_driver("runc", paths)
    assert str(caught.value) == "runc is not installed: apt install runc"


@pytest.mark.root
def test_auto_takes_plain_processes_with_a_warning_in_one_line(
    paths: Paths, machine: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert choose_driver("auto", paths).name == "process"
    line = "runc is not installed: apt install runc; crun is not installed: apt install crun"
    warning = "services run as plain processes, without isolation: "
    assert caplog.messages == [warning + line]


@pytest.mark.root
def test_a_runtime_that_cannot_start_anything_says_what_it_says(
    paths: Paths, machine: Path
) -> None:
    program(machine, "runc", 'echo "$@" > /dev/null; echo "operation not permitted" > "$4"; exit 1')
    with pytest.raises(RuntimeUnavailable) as caught:
        choose_driver("runc", paths)
    assert str(caught.value) == "runc cannot start a container here: operation not permitted"


@pytest.mark.root
def test_auto_takes_the_first_that_works(
    paths: Paths, machine: Path, caplog: pytest.LogCaptureFixture
) -> None:
    program(machine, "runc", "exit 1")
    program(machine, "crun", "exit 0")
    assert choose_driver("auto", paths).name == "crun"
    assert caplog.messages == []


@pytest.mark.root
def test_a_runtime_is_tried_once(paths: Paths, machine: Path) -> None:
    program(machine, "runc", f'test "$1" = --version || echo tried >> {machine}/tries')
    for _ in range(3):
        choose_driver("runc", paths)
    assert (machine / "tries").read_text() == "tried\n"


def test_without_root_there_are_no_containers(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(RuntimeUnavailable) as caught:
        choose_driver("runc", paths)
    assert str(caught.value) == "containers need root: run it with sudo"


def test_an_unknown_name_is_refused(paths: Paths) -> None:
    with pytest.raises(RuntimeUnavailable) as caught:
        choose_driver("podman", paths)
    choices = "choose one of auto, runc, crun, process"
    assert str(caught.value) == f"unknown runtime podman: {choices}"


def test_a_real_runtime_leaves_nothing_of_its_trial(oci_runtime: str) -> None:
    assert why_not(oci_runtime) == ""
    mine = f"cosi-trial-{os.getpid()}"  # others may be trying at this moment
    assert list(Cgroups().directories(mine)) == []

"""The real program with few open files: refused at once, or raised for itself alone."""

from __future__ import annotations

import resource
import shutil
import subprocess
from pathlib import Path

import pytest

from controllers.oci.host_facts import HostFacts
from controllers.oci.spec import Bundle, oci_spec
from resources.container_spec import ContainerSpec
from tests.controllers.limited import limited, open_files, running
from tests.cosi.cli.program import ROOT

SLEEPER = """\
name: sleeper
container: {entrypoint: ./sleep}
restart: always
"""


@pytest.mark.parametrize("files", [8, 32, 64, 127])
def test_too_few_open_files_are_one_clear_refusal(files: int, tmp_path: Path) -> None:
    """It was a traceback, or a supervisor that could start nothing."""
    command = limited(files, "run", "--root", str(tmp_path))

    refused = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert refused.returncode == 2
    assert refused.stdout == ""
    assert refused.stderr == (
        f"cosi: this process may have {files} files open, but needs 128 or more: "
        "raise the limit with `ulimit -n 1024`, or LimitNOFILE= in the unit of systemd\n"
    )


def test_the_least_that_is_taken_is_enough_for_the_example(tmp_path: Path) -> None:
    root = example(tmp_path)

    with running(128, *options(root)) as (process, log):
        log.until("service[ext-greeter](Running)")
        log.until("service[ext-hello-world](Running)")
        used = open_files(process.pid)

    assert used < 64, "half of the files is for supervision"


def test_a_soft_limit_is_raised_for_the_supervisor_and_not_for_its_services(tmp_path: Path) -> None:
    """Before, 64 open files were all that it had, however many it might have taken."""
    root = example(tmp_path)
    (root / "usr/local/etc/containers/sleeper.yaml").write_text(SLEEPER)
    program = root / "usr/local/lib/containers/sleeper/sleep"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexec sleep 1000\n")
    program.chmod(0o755)

    with running("-S 64", *options(root)) as (process, log):
        log.until("service[ext-sleeper](Running)")
        ours = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
        (service,) = services(process.pid)
        its = resource.prlimit(service, resource.RLIMIT_NOFILE)

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert ours[0] >= min(hard, 4_096) or hard == resource.RLIM_INFINITY
    assert its == (64, hard)


def example(directory: Path) -> Path:
    root = directory / "rootfs"
    left_by_others = shutil.ignore_patterns("run", "var", "system")
    shutil.copytree(ROOT / "examples/rootfs", root, symlinks=True, ignore=left_by_others)
    return root


def options(root: Path) -> tuple[str, ...]:
    fixtures = ("--fixtures", str(ROOT / "examples/online.yaml"))
    return ("--root", str(root), "--runtime", "process", "--log-format", "console", *fixtures)


def services(supervisor: int) -> list[int]:
    """The children of a supervisor that run `./sleep`, or what that executes."""
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    return [int(pid) for pid in children if "sleep" in Path(f"/proc/{pid}/cmdline").read_text()]


def test_a_container_gets_the_limit_from_before_it_was_raised() -> None:
    container = ContainerSpec(name="a", entrypoint="/a")
    bundle = Bundle(Path("/rootfs"), Path("/files"))

    def limits(facts: HostFacts) -> object:
        return oci_spec(container, facts, bundle)["process"].get("rlimits")

    assert limits(HostFacts()) is None
    raised = HostFacts(open_files=(1_024, 4_096))
    assert limits(raised) == [{"type": "RLIMIT_NOFILE", "soft": 1_024, "hard": 4_096}]


def test_the_unit_of_systemd_lets_the_limit_be_raised() -> None:
    unit = (ROOT / "examples/cosi.service").read_text().splitlines()

    assert "LimitNOFILE=1024:65536" in unit

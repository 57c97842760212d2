"""The commands against a real machine: the example's services, really running."""

from __future__ import annotations

import re
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cosi.cli.program import ROOT, Machine

NODE = socket.gethostname()
OFFLINE, ONLINE = "addressReady: false", "addressReady: true"
NETWORK = f"""\
metadata: {{namespace: network, type: NetworkStatuses.net.talos.dev, id: status}}
spec:
  {OFFLINE}
  connectivityReady: true
  hostnameReady: true
  etcFilesReady: true
"""
CONTAINERD = """\
metadata: {namespace: runtime, type: Services.v1alpha1.talos.dev, id: containerd}
spec: {running: false, healthy: false, unknown: true}
"""
UP = "{running: true, healthy: true, unknown: false}"


def _machine(directory: Path) -> Machine:
    root = directory / "rootfs"
    left_by_others = shutil.ignore_patterns("run", "var", "system")
    shutil.copytree(ROOT / "examples/rootfs", root, symlinks=True, ignore=left_by_others)
    return Machine(root)


def _running(runtime: str, fixtures: Path) -> tuple[str, ...]:
    options = ("--runtime", runtime, "--fixtures", str(fixtures), "--log-format", "console")
    return ("extension-services", *options)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    machine = _machine(tmp_path_factory.mktemp("machine"))
    with machine.running(*_running("process", ROOT / "examples/online.yaml")):
        machine.until("service[ext-greeter](Running)")
        yield machine


def _rows(text: str) -> list[list[str]]:
    return [re.split(r" {3,}", line) for line in text.splitlines()]


def test_services_and_one_of_them(machine: Machine) -> None:
    rows = _rows(machine.cosi("services").stdout)
    assert rows[0] == ["NODE", "SERVICE", "STATE", "HEALTH", "LAST CHANGE", "LAST EVENT"]
    assert [row[:4] for row in rows[1:]] == [
        [NODE, "ext-greeter", "Running", "?"],
        [NODE, "ext-hello-world", "Running", "?"],
        [NODE, "ext-prepare", "Finished", "?"],
    ]


def test_a_service_is_restarted_stopped_and_started(machine: Machine) -> None:
    def said(action: str) -> str:
        result = machine.cosi("service", "ext-prepare", action)
        return result.stdout.splitlines()[-1].split(maxsplit=1)[1]

    assert said("restart") == 'Service "ext-prepare" restarted'
    machine.until("service[ext-prepare](Finished)")
    assert said("stop") == 'Service "ext-prepare" stopped'
    assert said("start") == 'Service "ext-prepare" started'
    machine.until("service[ext-prepare](Finished)")


def test_logs_of_a_service(machine: Machine) -> None:
    result = machine.cosi("logs", "ext-greeter")
    assert result.stdout == f"{NODE}: Good morning, world!\n"


def test_what_happened(machine: Machine) -> None:
    rows = machine.cosi("events").stdout.splitlines()
    assert rows[0].split() == ["NODE", "ID", "EVENT", "ACTOR", "SOURCE", "MESSAGE"]
    assert any(re.search(r"ext-greeter +RUNNING: Started task ext-greeter", row) for row in rows)


def test_versions(machine: Machine) -> None:
    assert machine.cosi("version", "--short").stdout.splitlines()[1].startswith(f"{NODE} v")


def test_dependencies(machine: Machine) -> None:
    drawn = machine.cosi("inspect", "dependencies", "--with-resources").stdout
    assert drawn.startswith("digraph  {\n\tsubgraph cluster_s1 {\n")
    assert "runtime/ServiceGates.runtime.talos.dev/ext-greeter" in drawn


def test_a_running_service_whose_file_is_broken_says_so_and_runs_on(machine: Machine) -> None:
    """Issue 14, item 31: in ``services`` and in ``service``."""
    definition = machine.root / "usr/local/etc/containers/hello-world.yaml"
    good = definition.read_text()
    definition.write_text(good.replace("restart: always", "restart: forever"))
    machine.until("error loading extension service spec")
    text = "Definition rejected, the earlier one stays in force: hello-world.yaml:"
    row = next(row for row in _rows(machine.cosi("services").stdout) if "ext-hello-world" in row)
    assert row[2] == "Running"
    assert row[-1].startswith(text)
    assert f"[Running]: {text}" in machine.cosi("service", "ext-hello-world").stdout

    definition.write_text(good)
    machine.until("loaded extension service spec")
    assert text not in machine.cosi("services").stdout


def test_logs_and_events_are_followed_across_a_restart_of_the_machine(tmp_path: Path) -> None:
    machine = _machine(tmp_path)
    running = _running("process", ROOT / "examples/online.yaml")
    with machine.running(*running):
        machine.until("service[ext-greeter](Running)")
        logs = machine.begin("logs", "-f", "ext-hello-world")
        events = machine.begin("events", "-f", "--tail", "1")
        assert logs.stdout is not None
        assert events.stdout is not None
        assert logs.stdout.readline() == f"{NODE}: Hello from an extension service!\n"
        assert events.stdout.readline().startswith("NODE")
        assert "machine.ServiceStateEvent" in events.stdout.readline()
    with machine.running(*running):
        machine.until("service[ext-greeter](Running)")
        seen = ""
        while seen.count("Hello") == 0:
            seen += logs.stdout.readline()
        while not re.search(r"ext-greeter +RUNNING", events.stdout.readline()):
            continue
        for following in (logs, events):
            following.send_signal(signal.SIGINT)
            _, err = following.communicate()
            assert following.returncode == 0
            assert "Traceback" not in err
    assert seen in {
        f"{NODE}: goodbye\n{NODE}: Hello from an extension service!\n",
        f"{NODE}: Hello from an extension service!\n",
    }


@pytest.mark.root
@pytest.mark.runc
def test_the_transcript_of_the_documentation_from_a_real_container(tmp_path: Path) -> None:
    """Talos's documentation, "Extension Services": `talosctl service ext-hello-world`."""
    machine, fixtures = _machine(tmp_path), tmp_path / "fixtures.yaml"
    fixtures.write_text(f"{NETWORK}---\n{CONTAINERD}")
    definitions = machine.root / "usr/local/etc/containers"
    for other in ("greeter", "prepare"):
        (definitions / f"{other}.yaml").unlink()
    hello = definitions / "hello-world.yaml"
    hello.write_text(hello.read_text().replace("depends:\n", "depends:\n  - service: containerd\n"))

    with machine.running(*_running("runc", fixtures)):
        assert machine.cosi("apply", "-f", "-", input=NETWORK.replace(OFFLINE, ONLINE)).stderr == ""
        assert (
            machine.cosi(
                "apply", "-f", "-", input=CONTAINERD.partition("spec:")[0] + f"spec: {UP}"
            ).stderr
            == ""
        )
        machine.until("service[ext-hello-world](Running)")
        shown = machine.cosi("service", "ext-hello-world").stdout

    shown = re.sub(r"\d+s ago", "AGO", re.sub(r"PID \d+", "PID 1100", shown))
    # What this host does not let us give a container is an event more.
    shown = re.sub(r" +\[Preparing\]: The supervisor lacks and cannot.*\n", "", shown)
    expected = f"""\
NODE     {NODE}
ID       ext-hello-world
STATE    Running
HEALTH   ?
EVENTS   [Running]: Started task ext-hello-world (PID 1100) for container ext-hello-world (AGO)
         [Preparing]: Creating service runner (AGO)
         [Preparing]: Running pre state (AGO)
         [Waiting]: Waiting for service "containerd" to be "up" (AGO)
         [Waiting]: Waiting for service "containerd" to be "up", network (AGO)
         [Starting]: Starting service (AGO)
"""
    assert shown == expected

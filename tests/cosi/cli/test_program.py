"""The real program against the real program: every generic command, once."""

from __future__ import annotations

import json
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from cosi.cli.explain import explain
from tests.cosi.cli.program import Machine

LAMP = """\
metadata: {type: Lamps.house.example.dev, namespace: house, id: desk}
spec: {on: true}
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    machine = Machine(tmp_path_factory.mktemp("house"))
    with machine.running("tests.cosi.cli.house:application"):
        yield machine


def test_a_resource_is_applied_acted_upon_shown_and_deleted(house: Machine) -> None:
    applied = house.cosi("apply", "-f", "-", input=LAMP)
    assert applied.stdout == "Lamps.house.example.dev(house/desk) created\n"

    watching = house.begin("get", "shadows", "-w")
    assert watching.stdout is not None
    lines = [watching.stdout.readline().split() for _ in range(2)]
    assert lines[0][:3] == ["NODE", "*", "NAMESPACE"]
    assert lines[1][1:] == ["+", "house", "Shadow", "desk", "1", "desk"]

    deleted = house.cosi("delete", "lamp", "desk")
    assert deleted.stdout == "Lamps.house.example.dev(house/desk) deleted\n"

    # Torn down, then destroyed.
    marks = [watching.stdout.readline().split()[1] for _ in range(2)]
    assert marks[-1] == "-"
    watching.send_signal(signal.SIGINT)
    out, err = watching.communicate()
    assert (watching.returncode, out, err) == (0, "", "")


def test_the_types_of_the_program_are_registered(house: Machine) -> None:
    result = house.cosi("get", "rd", "-o", "jsonpath={.metadata.id}")

    assert {"lamps.house.example.dev", "shadows.house.example.dev"} <= set(result.stdout.split())
    assert (result.returncode, result.stderr) == (0, "")


def test_a_reader_that_leaves_is_no_error_to_speak_of(house: Machine) -> None:
    with house.begin("get", "rd", "-o", "yaml") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""


def test_the_socket_is_its_owner_s_and_gone_with_the_program(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.socket.parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(machine.socket))  # what a dead program leaves behind

    with machine.running("tests.cosi.cli.house:application"):
        assert machine.socket.stat().st_mode & 0o777 == 0o600
        second = machine.cosi("run", "--root", str(tmp_path), "tests.cosi.cli.house:application")

    assert second.returncode == 2
    assert f"cosi: {machine.socket}: another server listens there" in second.stderr
    assert not machine.socket.exists()


def test_tls_serves_readers_and_administrators(tmp_path: Path) -> None:
    machine, certificates = Machine(tmp_path), tmp_path / "certs"
    made = machine.cosi("gen", "config", str(certificates), "--host", "127.0.0.1")
    assert made.stdout.splitlines()[-1] == f"{certificates}/talosconfig"
    tls = ("--tls-cert", f"{certificates}/server.crt", "--tls-key", f"{certificates}/server.key")
    listen = ("--listen", "127.0.0.1:0", *tls, "--client-ca", f"{certificates}/ca.crt")

    with machine.running("tests.cosi.cli.house:application", *listen):
        found = re.search(r"127\.0\.0\.1:\d+", machine.until("serving on 127"))
        assert found is not None
        admin = ("--talosconfig", f"{certificates}/talosconfig", "--endpoint", found[0])
        applied = machine.cosi("apply", "-f", "-", *admin, input=LAMP)
        stranger = machine.cosi(
            "get", "lamps", "--endpoint", found[0], "--tls-ca", f"{certificates}/ca.crt"
        )

    assert applied.stdout == "Lamps.house.example.dev(house/desk) created\n", applied.stderr
    assert stranger.returncode == 1
    assert stranger.stderr.startswith(f"cosi: no server at {found[0]}: ")


def test_once_serves_too_and_ends_by_itself(tmp_path: Path) -> None:
    result = Machine(tmp_path).cosi(
        "run", "--once", "--root", str(tmp_path), "tests.cosi.cli.house:application"
    )
    assert result.returncode == 0
    assert f"serving on unix:{tmp_path}/run/cosi/cosi.sock" in result.stderr


def test_what_needs_no_server_does_as_its_help_shows(tmp_path: Path) -> None:
    """`explain`, `schema` and `completion`; side by side."""
    machine, field = Machine(tmp_path), "servicegates.waitingFor"
    commands = ("explain", field), ("schema", "definition"), ("completion", "bash")
    started = [machine.begin(*words) for words in commands]
    explained, schema, script = (process.communicate()[0] for process in started)

    assert [process.returncode for process in started] == [0, 0, 0]
    shown = (explain.epilog or "").replace("\b", "").split(f"cosi explain {field}", 1)[1]
    assert shown.split() == explained.split() != []
    assert json.loads(schema)["title"] == "Extension service"
    assert "complete -o nosort -F _cosi_completion cosi" in script


def test_types_and_ids_are_completed_from_the_server(house: Machine) -> None:
    house.cosi("apply", "-f", "-", input=LAMP)

    def complete(*words: str) -> list[str]:
        line = ["cosi", *words]
        asked = {"COMP_CWORD": str(len(line) - 1), "COMP_WORDS": " ".join(line)}
        out, _ = house.begin(_COSI_COMPLETE="bash_complete", **asked).communicate()
        return [word.partition(",")[2] for word in out.splitlines()]

    assert "lamps" in complete("get", "lam")
    assert complete("get", "lamp", "d") == ["desk"]

"""The options that say which server is asked, before the command and after it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from click.testing import CliRunner, Result

from cosi.cli.program import program
from tests.cosi.cli.conftest import Served
from tests.cosi.cli.things import lamp

ASK = """\
import os, sys
from click.testing import CliRunner
from cosi.cli.program import program
CliRunner().invoke(program, sys.argv[1:])  # loads what the other user may not be able to read
os.setuid(65534)
program(sys.argv[1:])
"""


def _cosi(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(program, arguments, env=environment)


def test_a_socket_is_named_before_the_command_or_after_it(served: Served) -> None:
    served.given(lamp("desk"))
    socket, elsewhere = str(served.socket), "/nowhere.sock"

    before = _cosi("--socket", socket, "get", "lamps", COSI_SOCKET=elsewhere)
    after = _cosi("get", "lamps", "--socket", socket, COSI_SOCKET=elsewhere)
    both = _cosi("--socket", elsewhere, "get", "lamps", "--socket", socket)

    assert "desk" in before.stdout
    assert before.stdout == after.stdout == both.stdout


@pytest.mark.parametrize("nested", [("inspect", "dependencies"), ("services",), ("version",)])
def test_a_group_hands_its_options_to_all_commands_in_it(nested: tuple[str, ...]) -> None:
    words = [["--socket", "/nowhere.sock", *nested], [*nested, "--socket", "/nowhere.sock"]]
    if len(nested) > 1:
        words.append([nested[0], "--socket", "/nowhere.sock", *nested[1:]])
    for line in words:
        assert _cosi(*line).stderr.startswith("cosi: no server at /nowhere.sock: "), line


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--endpoint", "h:0"), "endpoint 'h:0' is not HOST:PORT"),
        (("--node", "n"), "--node needs --endpoint"),
        (("--tls-ca", __file__), "certificates need --endpoint"),
        (("--tls-cert", __file__), "--tls-cert and --tls-key go together"),
        (("--tls-key", __file__), "--tls-cert and --tls-key go together"),
        (("--talosconfig", os.devnull), "talos config file is empty"),
        (("--context", "x"), "certificates need --endpoint"),
    ],
)
def test_every_option_means_the_same_before_and_after_the_command(
    options: tuple[str, ...], problem: str
) -> None:
    before, after = _cosi(*options, "get", "rd"), _cosi("get", "rd", *options)

    assert problem in before.stderr
    assert before.stderr == after.stderr


@pytest.mark.parametrize("words", [("run", "x"), ("gen", "config", "x"), ("completion", "bash")])
def test_an_option_that_would_mean_nothing_is_refused(words: tuple[str, ...]) -> None:
    result = _cosi("--socket", "/s", *words)

    assert result.exit_code == 2
    assert f"`cosi {words[0]}` asks no server: --socket before it has no effect" in result.stderr


def test_ids_are_completed_from_the_server_that_was_named_before(served: Served) -> None:
    served.given(lamp("desk"))
    words = f"cosi --socket {served.socket} get lamps d"
    asked = {"_COSI_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": "5"}

    result = CliRunner().invoke(program, [], prog_name="cosi", env=asked)

    assert result.stdout.split() == ["plain,desk"]


@pytest.fixture
def socket_of_root() -> Iterator[Path]:
    """A socket in a directory that all may enter; pytest's own are closed to others."""
    with TemporaryDirectory() as directory, socket.socket(socket.AF_UNIX) as listening:
        Path(directory).chmod(0o711)
        path = Path(directory, "cosi.sock")
        listening.bind(str(path))
        path.chmod(0o600)
        yield path


@pytest.mark.root
def test_with_an_endpoint_no_socket_is_looked_at(socket_of_root: Path) -> None:
    """The default socket is root's; click refused it to all others before anything else."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        endpoint = f"127.0.0.1:{closed.getsockname()[1]}"

    result = _as_another_user("get", "rd", "--endpoint", endpoint, socket=socket_of_root)

    assert result.returncode == 1
    assert result.stderr.startswith(f"cosi: no server at {endpoint}: ")


@pytest.mark.root
def test_a_socket_that_is_another_user_s_says_so(socket_of_root: Path) -> None:
    """Not that one should start a server: there is one."""
    result = _as_another_user("get", "rd", socket=socket_of_root)

    assert result.returncode == 1
    assert result.stderr == (
        f"cosi: no access to the server at {socket_of_root}: Permission denied; run this as its "
        "owner, or give the address of another with --socket PATH or --endpoint HOST:PORT\n"
    )


def _as_another_user(*words: str, socket: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", ASK, *words],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"COSI_SOCKET": str(socket)},
    )

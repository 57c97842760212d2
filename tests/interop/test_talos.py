"""Talos's own client, in Go, and a stock talosctl against the real program: `cosi run` serving the
machine of examples/ over TLS, and the talosconfig that `cosi gen config` makes."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cosi.cli.program import ROOT, Machine
from tests.interop.toolchain import DOWNLOAD_AND_COMPILE_SECONDS, compiled

MODULE = Path(__file__).parent / "talos"
TALOSCTL = os.environ.get("COSI_TALOSCTL", "")
UP = (
    "service[ext-hello-world](Running)",
    "service[ext-greeter](Running)",
    "service[ext-prepare](Finished)",
)


@dataclass
class Served:
    """The machine in examples/rootfs, all up, and how to reach it from elsewhere."""

    machine: Machine
    talosconfig: str
    endpoint: str

    def cosi(self, *arguments: str) -> str:
        there = ("--talosconfig", self.talosconfig, "--endpoint", self.endpoint)
        return self.machine.cosi(*arguments, *there).stdout

    def talosctl(self, *arguments: str) -> str:
        """The output; talosctl finds us older than itself, and says so on stderr."""
        there = ("--talosconfig", self.talosconfig, "-n", "127.0.0.1", "-e", self.endpoint)
        done = subprocess.run(
            [TALOSCTL, *there, *arguments], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    directory = tmp_path_factory.mktemp("talos")
    root, certificates = directory / "root", directory / "certificates"
    shutil.copytree(ROOT / "examples/rootfs", root, symlinks=True)
    machine = Machine(root)
    hosts = ("--host", "127.0.0.1", "--host", "localhost")
    made = machine.cosi("gen", "config", str(certificates), *hosts)
    ca, _, certificate, key, talosconfig = made.stdout.splitlines()

    tls = ("--tls-cert", certificate, "--tls-key", key, "--client-ca", ca)
    fixtures = ("--fixtures", f"{ROOT}/examples/online.yaml", "--log-format", "console")
    with machine.running("--runtime", "process", *fixtures, "--listen", "127.0.0.1:0", *tls):
        endpoint = re.search(r"127\.0\.0\.1:\d+", machine.until("serving on 127"))
        assert endpoint is not None
        coming = set(UP)
        while coming:
            line = machine.until("service[")
            coming -= {up for up in coming if up in line}
        yield Served(machine, talosconfig, endpoint[0])


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Go tests as a program."""
    return compiled(MODULE, tmp_path_factory.mktemp("go"))


@pytest.mark.go
@pytest.mark.timeout(DOWNLOAD_AND_COMPILE_SECONDS)
@pytest.mark.skipif(
    os.environ.get("COSI_TALOS") != "1",
    reason="downloads and compiles Talos's client, which takes minutes; COSI_TALOS=1 runs it",
)
def test_talos_s_client_does_not_notice_that_this_is_not_talos(suite: Path, served: Served) -> None:
    environment = {
        "COSI_TALOSCONFIG": served.talosconfig,
        "COSI_ENDPOINT": served.endpoint,
        "COSI_SOCKET": str(served.machine.socket),
        "COSI_DEPENDENCIES": served.cosi("inspect", "dependencies", "-o", "dot"),
    }
    done = subprocess.run(
        [suite, "-test.v"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "--- SKIP" not in done.stdout
    assert done.stdout.count("\n--- PASS") >= 12


@pytest.mark.timeout(300)
@pytest.mark.skipif(
    not TALOSCTL, reason="no talosctl is known; COSI_TALOSCTL=/path/to/talosctl (1.12) runs it"
)
def test_a_stock_talosctl_and_cosi_say_the_same(served: Served) -> None:
    assert "Enabled:     RBAC" in served.talosctl("version")
    restarted = 'NODE        RESPONSE\n127.0.0.1   Service "ext-greeter" restarted\n'
    assert served.talosctl("service", "ext-greeter", "restart") == restarted
    assert served.talosctl("service", "ext-greeter", "stop").endswith(" stopped\n")
    # Nothing changes any more: both see the same.
    for command in ("services",), ("service", "ext-greeter"), ("service", "ext-hello-world"):
        assert timeless(served.talosctl(*command)) == timeless(served.cosi(*command))
    log = served.talosctl("logs", "ext-hello-world", "--tail", "1")
    assert log == "127.0.0.1: Hello from an extension service!\n"

    types = served.talosctl("get", "rd", "-o", "jsonpath={.metadata.id}").split()
    assert "services.v1alpha1.talos.dev" in types
    for type in types:
        for output in "table", "yaml", "json":
            get = ("get", type, "-o", output)
            assert served.talosctl(*get) == served.cosi(*get)

    talosctl, cosi = (
        [line for line in drawn.splitlines() if line.strip()]
        for drawn in (
            served.talosctl("inspect", "dependencies"),
            served.cosi("inspect", "dependencies", "-o", "dot"),
        )
    )
    assert talosctl == cosi


def timeless(text: str) -> str:
    """Without how long ago it was: the columns are as wide as that is."""
    return re.sub(r" +", " ", re.sub(r"\(?[0-9hms]+ ago\)?", "ago", text))

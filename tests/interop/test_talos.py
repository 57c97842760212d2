"""Talos's own client, in Go, and a stock talosctl against the real program: `cosi run` serving the
machine of examples/ over TLS, and the talosconfig that `cosi gen config` makes."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cosi.cli.program import ROOT, Machine
from tests.interop.toolchain import DOWNLOAD_AND_COMPILE_SECONDS, TALOS, compiled, talosctl

MODULE = Path(__file__).parent / "talos"
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
    stock: Path | None

    def cosi(self, *arguments: str) -> str:
        there = ("--talosconfig", self.talosconfig, "--endpoint", self.endpoint)
        return self.machine.cosi(*arguments, *there).stdout

    def talosctl(self, *arguments: str) -> str:
        """What it prints; it has no warning."""
        done = self.asked_by_talosctl(*arguments)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    def asked_by_talosctl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        there = ("--talosconfig", self.talosconfig, "-n", "127.0.0.1", "-e", self.endpoint)
        assert self.stock is not None
        command = [self.stock, *there, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)


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
        yield Served(machine, talosconfig, endpoint[0], talosctl())


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Go tests as a program."""
    return compiled(MODULE, tmp_path_factory.mktemp("go"))


@pytest.mark.go
@pytest.mark.timeout(DOWNLOAD_AND_COMPILE_SECONDS)
@pytest.mark.skipif(
    not TALOS,
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


@pytest.fixture
def stock(served: Served) -> Served:
    """The machine, where a stock talosctl is known."""
    if served.stock is None:
        pytest.skip("no talosctl was built (COSI_TALOS=1 builds it) or named (COSI_TALOSCTL=/path)")
    return served


TEMPLATES = (
    "{.metadata.id}",
    "{.metadata.id} of {.metadata.namespace}{.metadata.version}",
    "{.spec}",
    "{.metadata['id','type']}",
    '{.metadata.phase}{"\\t"}{@.metadata.id}',
)

pytestmark = pytest.mark.timeout(DOWNLOAD_AND_COMPILE_SECONDS)


def test_a_stock_talosctl_and_cosi_say_the_same(stock: Served) -> None:
    assert "Enabled:     RBAC" in stock.talosctl("version")
    restarted = 'NODE        RESPONSE\n127.0.0.1   Service "ext-greeter" restarted\n'
    assert stock.talosctl("service", "ext-greeter", "restart") == restarted
    assert stock.talosctl("service", "ext-greeter", "stop").endswith(" stopped\n")
    # Nothing changes any more: both see the same.
    for command in ("services",), ("service", "ext-greeter"), ("service", "ext-hello-world"):
        assert timeless(stock.talosctl(*command)) == timeless(stock.cosi(*command))
    log = stock.talosctl("logs", "ext-hello-world", "--tail", "1")
    assert log == "127.0.0.1: Hello from an extension service!\n"

    types = stock.talosctl("get", "rd", "-o", "jsonpath={.metadata.id}").split()
    assert "services.v1alpha1.talos.dev" in types
    for type in types:
        for output in "table", "yaml", "json":
            get = ("get", type, "-o", output)
            assert stock.talosctl(*get) == stock.cosi(*get)


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_stock_talosctl_and_cosi_make_the_same_of_a_template(
    stock: Served, template: str
) -> None:
    get = ("get", "services", "-o", f"jsonpath={template}")

    assert stock.talosctl(*get) == stock.cosi(*get)


@pytest.mark.parametrize("template", ["{.spec.nothing}", "{.spec[0]}", "{end}"])
def test_both_refuse_a_template_that_finds_nothing(stock: Served, template: str) -> None:
    get = ("get", "services", "ext-greeter", "-o", f"jsonpath={template}")

    theirs = stock.asked_by_talosctl(*get)
    there = ("--talosconfig", stock.talosconfig, "--endpoint", stock.endpoint)
    ours = stock.machine.cosi(*get, *there)

    assert (theirs.returncode, ours.returncode) == (1, 1)
    assert ours.stderr == f"cosi: {theirs.stderr}"


def test_both_say_of_which_resource_there_is_none(stock: Served) -> None:
    theirs = stock.asked_by_talosctl("get", "services", "ext-nothing")

    assert theirs.returncode == 1
    missing = "resource Services.v1alpha1.talos.dev(runtime/ext-nothing@undefined) doesn't exist"
    assert missing in theirs.stderr


def test_a_stock_talosctl_and_cosi_draw_the_same(stock: Served) -> None:
    talosctl, cosi = (
        [line for line in drawn.splitlines() if line.strip()]
        for drawn in (
            stock.talosctl("inspect", "dependencies"),
            stock.cosi("inspect", "dependencies", "-o", "dot"),
        )
    )
    assert talosctl == cosi


def test_a_stock_talosctl_and_cosi_draw_the_same_resources(stock: Served) -> None:
    """Nodes are numbered as they come, which is any order there."""
    command = ("inspect", "dependencies", "--with-resources")

    theirs, ours = edges(stock.talosctl(*command)), edges(stock.cosi(*command))

    assert theirs == ours
    assert any('style="dotted"' in edge for edge in ours)


def edges(drawing: str) -> list[str]:
    """``source -> target [attributes]``, by the labels of both."""
    labels = dict(re.findall(r'(n\d+)\[.*?label="([^"]*)"', drawing))
    found = re.findall(r"(n\d+)->(n\d+)\[(.*?)\]", drawing)
    return sorted(f"{labels[a]} -> {labels[b]} [{attributes}]" for a, b, attributes in found)


def timeless(text: str) -> str:
    """Without how long ago it was: the columns are as wide as that is."""
    return re.sub(r" +", " ", re.sub(r"\(?[0-9hms]+ ago\)?", "ago", text))

"""Talos's own client, in Go, against the real program: `cosi run` serving the machine of examples/
over TLS, and the talosconfig that `cosi gen config` makes."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cosi.cli.program import ROOT, Machine
from tests.interop.toolchain import DOWNLOAD_AND_COMPILE_SECONDS, compiled

MODULE = Path(__file__).parent / "talos"
UP = (
    "service[ext-hello-world](Running)",
    "service[ext-greeter](Running)",
    "service[ext-prepare](Finished)",
)

pytestmark = [
    pytest.mark.go,
    pytest.mark.timeout(DOWNLOAD_AND_COMPILE_SECONDS),
    pytest.mark.skipif(
        os.environ.get("COSI_TALOS") != "1",
        reason="downloads and compiles Talos's client, which takes minutes; COSI_TALOS=1 runs it",
    ),
]


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Go tests as a program."""
    return compiled(MODULE, tmp_path_factory.mktemp("go"))


@pytest.fixture
def served(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The machine in examples/rootfs, all up; yields how the Go tests are told of it."""
    root, certificates = tmp_path / "root", tmp_path / "certificates"
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
        yield {
            "COSI_TALOSCONFIG": talosconfig,
            "COSI_ENDPOINT": endpoint[0],
            "COSI_DEPENDENCIES": machine.cosi("inspect", "dependencies", "-o", "dot").stdout,
        }


def test_talos_s_client_does_not_notice_that_this_is_not_talos(
    suite: Path, served: dict[str, str]
) -> None:
    done = subprocess.run(
        [suite, "-test.v"], env=served, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "--- SKIP" not in done.stdout
    assert done.stdout.count("\n--- PASS") >= 12

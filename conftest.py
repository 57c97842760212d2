"""Both backends for every async test; markers for what not every machine has."""

import gc
import os
import shutil
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from trio.testing import MockClock

from tests.switches import forget_those_of_the_program, on

pytest_plugins = ("tests.soak",)

_TEMPORARY = pytest.StashKey[str]()


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> object:
    """asyncio, and trio on a clock that jumps (virtual time)."""
    if request.param == "trio":
        return ("trio", {"clock": MockClock(autojump_threshold=0)})
    return "asyncio"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rewrite-readme", action="store_true", help="bring README.md up to date")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Short paths for sockets, and signals as in a terminal.

    The path of a Unix socket has at most 107 bytes, and pytest's own directories begin with the
    name of the user. A suite that is started with ``&`` ignores Ctrl-C, and so would the programs
    that it tests.

    A full collection takes a tenth of a second, as all tests are in memory: seldom, then. How long
    Hypothesis takes for its examples is a matter of who else uses the machine.
    """
    if config.option.basetemp is None and not hasattr(config, "workerinput"):
        config.option.basetemp = config.stash[_TEMPORARY] = tempfile.mkdtemp(prefix="cosi-")
    settings.register_profile("unhurried", suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("unhurried")
    forget_those_of_the_program()
    gc.set_threshold(700, 10, 1_000)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Only what failed leaves files to look at."""
    if exitstatus == 0 and (directory := session.config.stash.get(_TEMPORARY, None)):
        shutil.rmtree(directory, ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The lengthy ones first (sorting keeps the order otherwise)."""
    items.sort(key=lambda item: item.get_closest_marker("lengthy") is None)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what cannot be had here; where everything must be there (CI), fail instead."""
    marked = [why for marker, why in MISSING.items() if item.get_closest_marker(marker)]
    missing = list(filter(None, (why() for why in marked)))
    # crun refuses hybrid machines whatever is installed: that is the machine's, not missing, and
    # what `make unified` is for.
    only_here = _hybrid() and all("hybrid" in reason for reason in missing)
    if missing and not only_here and on("COSI_REQUIRE_COMPONENTS"):
        pytest.fail("; ".join(missing), pytrace=False)
    if missing:
        pytest.skip("; ".join(missing))


def _hybrid() -> bool:
    """Whether both versions of cgroups are mounted."""
    mounts = Path("/proc/self/mountinfo").read_text(errors="surrogateescape")
    return " - cgroup " in mounts and " - cgroup2 " in mounts


def _no_root() -> str:
    return "" if os.geteuid() == 0 else "needs root"


def _no(runtime: str) -> str:
    from controllers.drivers.choose import why_not

    return why_not(runtime) or (
        "" if Path("/bin/busybox").exists() else "apt install busybox-static"
    )


MISSING: dict[str, Callable[[], str]] = {
    "root": _no_root,
    "runc": lambda: _no("runc"),
    "crun": lambda: _no("crun"),
}

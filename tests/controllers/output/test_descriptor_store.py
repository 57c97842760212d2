"""What a service manager holds, so that it outlives a supervisor (sd_notify(3), "FDSTORE=1")."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from controllers.output.descriptor_store import DescriptorStore
from tests.controllers.manager import Manager


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    with Manager(tmp_path / "notify") as manager:
        yield manager


def of(manager: Manager, **more: str) -> DescriptorStore:
    return DescriptorStore.of({"NOTIFY_SOCKET": str(manager.address)} | more)


def test_what_is_kept_outlives_who_has_opened_it(manager: Manager) -> None:
    read, write = os.pipe()
    os.write(write, b"last words")
    of(manager).keep("ext-a", read)
    assert manager.heard() == ["FDSTORE=1\nFDNAME=cosi-ext-a"]
    os.close(read)
    os.close(write)
    [held] = manager.held["cosi-ext-a"]
    assert os.read(held, 100) == b"last words"


def test_what_is_held_is_not_sent_again_and_forgotten_once(manager: Manager) -> None:
    store = of(manager)
    for _ in range(2):
        store.keep("ext-a", 0)
    for _ in range(2):
        store.forget("ext-a")
    assert manager.heard() == [
        "FDSTORE=1\nFDNAME=cosi-ext-a",
        "FDSTOREREMOVE=1\nFDNAME=cosi-ext-a",
    ]
    assert manager.held == {}


# What a manager gives back are the descriptors 3 and on, which are others' in this process.
GIVEN = """
import os, sys
from controllers.output.descriptor_store import DescriptorStore

for number in range(3, 6):
    os.dup2(0, number)
address, pid = sys.argv[1:]
names = "web:cosi-ext-a:cosi-ext-b"
store = DescriptorStore.of(
    {"NOTIFY_SOCKET": address, "LISTEN_PID": pid or str(os.getpid()), "LISTEN_FDNAMES": names}
)
print([number for number in range(3, 6) if os.path.exists(f"/proc/self/fd/{number}")])
store.keep("ext-a", 0)
store.forget_all_but(["ext-a"])
"""


def given_back(manager: Manager, pid: str = "") -> str:
    command = (sys.executable, "-c", GIVEN, str(manager.address), pid)
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_what_was_given_back_is_ours_to_close_and_is_held_still(manager: Manager) -> None:
    assert given_back(manager) == "[3]\n"  # that one is not ours
    assert manager.heard() == ["FDSTOREREMOVE=1\nFDNAME=cosi-ext-b"]


def test_what_was_given_to_another_process_is_left_alone(manager: Manager) -> None:
    assert given_back(manager, pid="1") == "[3, 4, 5]\n"


def test_without_a_manager_nothing_is_kept_and_nothing_fails(tmp_path: Path) -> None:
    for address in "", str(tmp_path / "nobody"), "@nobody-listens-there":
        store = DescriptorStore(address)
        store.keep("ext-a", 0)
        store.forget("ext-a")


def test_a_manager_that_does_not_read_keeps_nobody_waiting(tmp_path: Path) -> None:
    address = str(tmp_path / "busy")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as busy:
        busy.bind(address)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as others:
            others.setblocking(False)
            with suppress(BlockingIOError):
                while True:
                    others.sendto(b"STATUS=busy", address)
        DescriptorStore(address).keep("ext-a", 0)

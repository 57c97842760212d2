"""The method that answers the version of this program."""

from __future__ import annotations

import platform
import re
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from controllers.machine_api.nodes import metadata_of
from controllers.machine_api.proto import machine_pb2
from cosi.api.rpc import Call

_GO_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}
TALOS_VERSION: Final = "1.14.1"
"""The newest Talos version whose client was tested with this API (tests/interop)."""
UNKNOWN_VERSION: Final = "0.0.0"


class MachineVersion:
    """Answers ``Version``."""

    def __init__(self) -> None:
        machine = platform.machine()
        self._info = machine_pb2.VersionInfo(
            tag=tag(),
            go_version=f"python{platform.python_version()}",
            os=platform.system().lower(),
            arch=_GO_ARCHITECTURES.get(machine, machine),
        )

    async def answer(self, data: bytes, call: Call) -> bytes:
        """This program's version in talosctl's format, once for each requested node."""
        messages = [
            machine_pb2.Version(
                metadata=metadata,
                version=self._info,
                platform=machine_pb2.PlatformInfo(name="cosi", mode="container"),
                features=machine_pb2.FeaturesInfo(rbac=True),
            )
            for metadata in metadata_of(call)
        ]
        return machine_pb2.VersionResponse(messages=messages).SerializeToString()


def tag() -> str:
    """The Talos version of this API, followed by this package's own version.

    talosctl warns at each ``get`` from a server that is older than itself, and refuses a tag that
    is not a semantic version. The part after the ``+`` is not compared.
    """
    return f"v{TALOS_VERSION}+cosi.{_own_version()}"


def _own_version() -> str:
    """Our version in allowed characters: Python's notation has a ``+`` for local versions."""
    try:
        return re.sub(r"[^0-9A-Za-z.-]", "-", version("cosi"))
    except PackageNotFoundError:
        return UNKNOWN_VERSION

"""What runs on this machine, by version."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from controllers.machine.nodes import metadata_of
from controllers.machine.proto import machine_pb2
from cosi.api.rpc import Call

_GO_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}
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
        """This program's version as talosctl wants it, once for each node that was asked."""
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
    """This package's version as a tag: talosctl refuses a server whose tag is no semantic version.

    Python's own notation (``1.2.3.dev4``, ``1.2rc1``) is none; only its release part is said then.
    """
    try:
        numbers = version("cosi").split("+")[0].split(".")
    except PackageNotFoundError:
        numbers = UNKNOWN_VERSION.split(".")
    release = [number for number in numbers[:3] if number.isdecimal()]
    return "v" + ".".join([*release, "0", "0"][:3])

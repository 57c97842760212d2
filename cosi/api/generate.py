"""Makes the ``_pb2`` modules from the ``.proto`` files: ``python -m cosi.api.generate [DIRECTORY...]``.

A development tool; it needs grpcio-tools. Only messages are generated: the service stubs of protoc
insist on deserializing what this package keeps as bytes, and are not typed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib import resources
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROTOS = ("cosi/api/proto", "controllers/machine/proto")


def generate(sources: Iterable[Path], destination: Path, root: Path = ROOT) -> None:
    """Write a module and its stub below ``destination`` for every file of ``sources``.

    Paths are taken relative to ``root``, which is also how the files import one another. Raises
    :class:`RuntimeError` when protoc refuses one; it has said why on standard error.
    """
    from grpc_tools import protoc

    well_known = resources.files("grpc_tools") / "_proto"
    arguments = [
        "protoc",
        f"--proto_path={root}",
        f"--proto_path={well_known}",
        f"--python_out={destination}",
        f"--pyi_out={destination}",
        *(str(source.relative_to(root)) for source in sources),
    ]
    if protoc.main(arguments):
        raise RuntimeError(f"protoc failed: {' '.join(arguments)}")


def proto_files(directories: Iterable[str] = PROTOS, root: Path = ROOT) -> list[Path]:
    """Every ``.proto`` file of ``directories``, sorted."""
    return sorted(path for name in directories for path in (root / name).glob("*.proto"))


if __name__ == "__main__":
    generate(proto_files(sys.argv[1:] or PROTOS), ROOT)

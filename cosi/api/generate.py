"""Generates the ``_pb2`` modules from the ``.proto`` files: ``python -m cosi.api.generate``.

A development tool; it needs grpcio-tools. Only messages are generated: the service stubs of protoc
would deserialize resources that this package keeps as bytes, and are not typed.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib import resources
from pathlib import Path
from typing import cast

ROOT = Path(__file__).parents[2]
PROTOS = ("cosi/api/proto", "controllers/machine_api/proto")


def generate(sources: Sequence[Path], destination: Path, root: Path = ROOT) -> None:
    """Write a module and its stub below ``destination`` for every file of ``sources``.

    Paths are relative to ``root``, as in the imports between the files. Raises
    :class:`RuntimeError` if protoc refuses one; protoc prints the reason to standard error.
    """
    from grpc_tools import protoc  # type: ignore[import-untyped]  # a development tool without stubs

    well_known = resources.files("grpc_tools") / "_proto"
    arguments = [
        "protoc",
        f"--proto_path={root}",
        f"--proto_path={well_known}",
        f"--python_out={destination}",
        f"--pyi_out={destination}",
        *(str(source.relative_to(root)) for source in sources),
    ]
    main = cast("Callable[[list[str]], int]", protoc.main)  # pyright: ignore[reportUnknownMemberType]  # also without stubs
    if main(arguments):
        raise RuntimeError(f"protoc failed: {' '.join(arguments)}")
    for source in sources:
        _complete_types(destination / source.relative_to(root).with_name(f"{source.stem}_pb2.pyi"))


def _complete_types(stub: Path) -> None:
    """Change protoc's stub so that strict type checkers accept it.

    protoc omits the parameters of ``Mapping``, imports unused names, and lets a field called
    ``bytes`` hide the type.
    """
    text = re.sub(r"\b_Mapping(?=[\],])", "_Mapping[str, object]", stub.read_text())
    for line, name in re.findall(r"(?m)^(from .* import .* as (\w+)\n)", text):
        if text.count(name) == 1:
            text = text.replace(line, "")
    if re.search(r"(?m)^    bytes: bytes$", text):
        text = re.sub(r"(: |\[)bytes\b", r"\1_builtins.bytes", text)
        text = f"import builtins as _builtins\n{text}"
    stub.write_text(text)


def proto_files(directories: Iterable[str] = PROTOS, root: Path = ROOT) -> list[Path]:
    """Every ``.proto`` file of ``directories``, sorted."""
    return sorted(path for name in directories for path in (root / name).glob("*.proto"))


if __name__ == "__main__":
    generate(proto_files(sys.argv[1:] or PROTOS), ROOT)

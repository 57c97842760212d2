"""The generated messages are those of the .proto files; protoc comes with `cosi[dev]`."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from cosi.api.generate import ROOT, generate, proto_files

SOURCES = proto_files()
with_protoc = pytest.mark.skipif(find_spec("grpc_tools") is None, reason="pip install grpcio-tools")


def test_there_is_something_to_generate() -> None:
    assert ROOT / "cosi/api/proto/state.proto" in SOURCES


@with_protoc
@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_the_committed_code_is_what_the_proto_files_give(source: Path, tmp_path: Path) -> None:
    generate([source], tmp_path)

    for suffix in ("_pb2.py", "_pb2.pyi"):
        module = source.relative_to(ROOT).with_name(source.stem + suffix)
        regenerated = (tmp_path / module).read_text()
        assert (ROOT / module).read_text() == regenerated, "run python -m cosi.api.generate"


@with_protoc
def test_a_file_that_protoc_refuses_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "wrong.proto").write_text("message {")

    with pytest.raises(RuntimeError, match="protoc failed"):
        generate([tmp_path / "wrong.proto"], tmp_path, root=tmp_path)

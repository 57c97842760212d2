"""What holds for any text and for any definition."""

import string
import tracemalloc

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from controllers.definitions.service import Fault, read_service
from controllers.definitions.service_config import read_service_configs
from controllers.definitions.yaml_tree import MAX_BYTES, documents
from resources.extension_service import (
    ROOTFS_PROPAGATIONS,
    Container,
    Dependency,
    ExtensionServiceSpec,
    IDMapping,
    Mount,
    NetworkCheck,
    Restart,
    Security,
)
from resources.extension_service_config import file_names, stays_inside
from tests.soak import quantity

texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
lists = st.lists(texts, max_size=3).map(tuple)
filled = texts.filter(bool)
names = st.from_regex(r"[a-z0-9]{1,5}([-_][a-z0-9]{1,5}){0,3}", fullmatch=True)
numbers = st.integers(0, 2**32 - 1)

mounts = st.builds(
    Mount,
    destination=filled,
    source=filled,
    type=texts,
    options=lists,
    uid_mappings=st.lists(
        st.builds(IDMapping, container_id=numbers, host_id=numbers, size=numbers), max_size=2
    ).map(tuple),
)
securities = st.builds(
    Security,
    writeable_sysfs=st.booleans(),
    writeable_rootfs=st.booleans(),
    masked_paths=st.none() | lists,
    readonly_paths=st.none() | lists,
    rootfs_propagation=st.sampled_from(["", *ROOTFS_PROPAGATIONS]),
)
containers = st.builds(
    Container,
    entrypoint=filled,
    environment=lists.map(lambda items: tuple(i for i in items if not i.startswith("="))),
    environment_file=texts,
    args=lists,
    mounts=st.lists(mounts, max_size=3).map(tuple),
    security=securities,
)
dependencies = st.one_of(
    st.builds(Dependency, service=filled),
    st.builds(Dependency, path=texts.map("/".__add__)),
    st.builds(Dependency, network=st.lists(st.sampled_from(NetworkCheck), min_size=1).map(tuple)),
    st.just(Dependency(time=True)),
    st.just(Dependency(configuration=True)),
)
specs = st.builds(
    ExtensionServiceSpec,
    name=names,
    container=containers,
    depends=st.lists(dependencies, max_size=4).map(tuple),
    restart=st.sampled_from(Restart),
    log_to_console=st.booleans(),
)


@given(specs)
def test_a_definition_that_is_written_and_read_is_the_same(spec: ExtensionServiceSpec) -> None:
    text = yaml.safe_dump(spec.model_dump(by_alias=True, mode="json"), allow_unicode=True)
    reading = read_service(text.encode())
    assert reading.spec == spec, reading.message


@given(specs)
def test_what_is_read_is_what_pydantic_would_have_made(spec: ExtensionServiceSpec) -> None:
    """The decoder makes no value that the payload class would refuse."""
    dumped = spec.model_dump(by_alias=True, mode="json")
    assert ExtensionServiceSpec.model_validate(dumped) == spec


@given(st.binary(max_size=200))
@settings(max_examples=quantity(100, 2_000))
def test_no_bytes_raise(data: bytes) -> None:
    reading = read_service(data)
    assert (reading.spec is None) == (reading.fault is not None)
    assert reading.spec is not None or reading.message
    read_service_configs(data)


yamlish = st.text(
    st.sampled_from(string.ascii_lowercase[:6] + "\n  -:[]{}&*!|>'\"#%@`~?,<012\t"), max_size=120
)


@given(yamlish)
@settings(max_examples=quantity(150, 3_000))
def test_no_text_that_looks_like_yaml_raises(text: str) -> None:
    reading = read_service(text.encode())
    assert reading.fault in {Fault.UNREADABLE, Fault.INVALID}
    read_service_configs(f"apiVersion: v1alpha1\nkind: ExtensionServiceConfig\n{text}".encode())


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts | st.dates(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "args", "mounts", "service", "path", "network", "time", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
roots = st.dictionaries(
    st.sampled_from(["name", "container", "depends", "restart", "logToConsole"]), values
)


@given(roots)
@settings(max_examples=quantity(100, 2_000))
def test_no_value_of_any_type_in_any_place_raises(root: object) -> None:
    reading = read_service(yaml.safe_dump(root, allow_unicode=True).encode())
    places = [(problem.line, problem.column) for problem in reading.problems]
    assert places == sorted(places)


@given(st.lists(st.text(st.sampled_from("ab/-."), max_size=6).filter(stays_inside), max_size=8))
def test_every_mount_path_has_a_file_name_of_its_own(paths: list[str]) -> None:
    names = file_names(paths)
    assert set(names) == set(paths)
    assert len(set(names.values())) == len(set(paths))
    assert all("/" not in name and name not in {"", ".", ".."} for name in names.values())


def test_memory_is_bounded_whatever_a_file_holds() -> None:
    heaviest = [
        b"- a\n" * (MAX_BYTES // 4),
        b"x" * MAX_BYTES,
        b"[" * MAX_BYTES,
        b"k: v\n" * 200_000,
    ]
    tracemalloc.start()
    try:
        for data in heaviest:
            read_service(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 40 * MAX_BYTES


def test_only_the_first_document_is_looked_at() -> None:
    """A broken text behind it is nobody's business."""
    assert next(documents(b"a: b\n---\n]")).tag == "!!map"

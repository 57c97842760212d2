"""Every thing travels in both forms: each field of each payload has a protobuf number."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import resources
from cosi import Spec
from cosi.api.payload import payload_codec
from resources.config_source_status import ConfigSourceStatus
from resources.container_spec import ContainerSpec, MountedConfigFile
from resources.extension_service import (
    Container,
    Dependency,
    ExtensionServiceSpec,
    IDMapping,
    Mount,
    NetworkCheck,
    Restart,
    Security,
)
from resources.problem import (
    Problem,
    Severity,
)
from resources.service_file_status import (
    ServiceFileStatus,
)
from resources.service_gate import ServiceGate
from resources.service_request import Desired, ServiceRequest


def payloads() -> list[type[Spec]]:
    found = {}
    for module in pkgutil.iter_modules(resources.__path__):
        for value in vars(importlib.import_module(f"resources.{module.name}")).values():
            if isinstance(value, type) and issubclass(value, Spec) and value is not Spec:
                found[value.__name__] = value
    return list(found.values())


@pytest.mark.parametrize("payload", payloads(), ids=lambda payload: payload.__name__)
def test_every_field_has_its_number(payload: type[Spec]) -> None:
    codec = payload_codec(payload)
    assert codec is not None, "it declares no numbers"
    assert codec.complete, "some field has none"


MOUNT = Mount(destination="/d", source="/s", type="bind", options=("ro",))
PROBLEM = Problem(line=1, column=2, severity=Severity.WARNING, text="odd")


@pytest.mark.parametrize(
    "spec",
    [
        ExtensionServiceSpec(
            name="a",
            container=Container(
                entrypoint="./a",
                mounts=(MOUNT.evolve(uid_mappings=(IDMapping(container_id=1, size=2),)),),
                security=Security(masked_paths=(), readonly_paths=("/x",)),
            ),
            depends=(Dependency(network=(NetworkCheck.ETCFILES,)), Dependency(time=True)),
            restart=Restart.UNTIL_SUCCESS,
        ),
        ContainerSpec(
            name="a",
            entrypoint="./a",
            mounts=(MOUNT,),
            config_files=(MountedConfigFile(mount_path="/a", file_name="a", sha256="0"),),
        ),
        ServiceGate(conditions=("network",), waiting_for=("network",), config_version="2"),
        ServiceRequest(desired=Desired.STOP, generation=3, with_dependents=True),
        ServiceFileStatus(accepted=False, in_force=True, problems=(PROBLEM,)),
        ConfigSourceStatus(present=False, accepted=True, problems=(PROBLEM,)),
    ],
    ids=lambda spec: type(spec).__name__,
)
def test_what_is_sent_is_what_arrives(spec: Spec) -> None:
    """Unset, empty and given paths (Talos 1.14, "security") are three things on the wire too."""
    codec = payload_codec(type(spec))
    assert codec is not None
    assert codec.decode(codec.encode(spec)) == spec

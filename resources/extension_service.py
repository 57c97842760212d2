"""A service that this machine shall run, as its definition file says it.

The YAML of this payload *is* the definition file, same keys, same nesting: what ``get`` shows can
be saved and loaded again. Rules and texts are those of Talos 1.14 ("Extension Services"), in its
order; rules about what Talos accepts but no runtime can run come after them and name the runtime.
A payload that breaks a rule cannot be made: nobody downstream has to look twice at a name before
making a path of it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Final, Self, TypeVar, cast

from pydantic import Field, model_validator

from cosi import Spec, Value
from resources.go_format import (
    quote,
    several,
)
from resources.problem import Location, Mistake

SERVICE_PREFIX: Final = "ext-"

_NAME = re.compile(r"[-_a-z0-9]+")
# containerd 2.3, identifiers: what a container may be called, whoever runs it.
_IDENTIFIER = re.compile(r"[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*")
_IDENTIFIER_LENGTH: Final = 76

ROOTFS_PROPAGATIONS: Final = tuple(
    prefix + name for name in ("private", "slave", "shared", "unbindable") for prefix in ("", "r")
)
"""What runc takes as ``linux.rootfsPropagation``; Talos passes anything on."""


def service_id(name: str) -> str:
    """The id under which the service ``name`` is known to people and to other services."""
    return SERVICE_PREFIX + name


class Restart(StrEnum):
    """When a service that has exited is started again."""

    ALWAYS = "always"
    NEVER = "never"
    UNTIL_SUCCESS = "untilSuccess"


class NetworkCheck(StrEnum):
    """One aspect of the network's readiness."""

    ADDRESSES = "addresses"
    CONNECTIVITY = "connectivity"
    HOSTNAME = "hostname"
    ETCFILES = "etcfiles"


class IDMapping(Value, proto={"containerid": 1, "hostid": 2, "size": 3}):
    """One range of an id-mapped mount (OCI runtime-spec 1.3, "mounts").

    Talos reads these under lower-cased names; the OCI spelling is an unknown key to it.
    """

    container_id: Annotated[int, Field(alias="containerid", ge=0, lt=2**32)] = 0
    host_id: Annotated[int, Field(alias="hostid", ge=0, lt=2**32)] = 0
    size: Annotated[int, Field(ge=0, lt=2**32)] = 0


class Mount(
    Value,
    proto={
        "destination": 1,
        "source": 2,
        "type": 3,
        "options": 4,
        "uidmappings": 5,
        "gidmappings": 6,
    },
):
    """One mount of the container (OCI runtime-spec 1.3, "mounts"); options are passed on."""

    destination: str
    source: str = ""
    type: str = ""
    options: tuple[str, ...] = ()
    uid_mappings: Annotated[tuple[IDMapping, ...], Field(alias="uidmappings")] = ()
    gid_mappings: Annotated[tuple[IDMapping, ...], Field(alias="gidmappings")] = ()

    @property
    def is_bind(self) -> bool:
        """Whether its source is a path of the host (mount(8): the options make it one too)."""
        return self.type in {"", "bind"} or not {"bind", "rbind"}.isdisjoint(self.options)

    def mistakes(self) -> Iterator[Mistake]:
        """What no runtime can mount; Talos finds out when the container is made."""
        if not self.destination:
            yield ("destination",), "mount destination can't be empty"
        if not self.source and self.type in {"", "bind"}:
            yield ("source",), "mount source can't be empty"


class Security(
    Value,
    proto={
        "writeableSysfs": 1,
        "writeableRootfs": 2,
        "maskedPaths": 3,
        "readonlyPaths": 4,
        "rootfsPropagation": 5,
    },
):
    """What the container may see and change of the host."""

    writeable_sysfs: bool = False
    """Whether every mount of type sysfs is writable."""
    writeable_rootfs: bool = False
    """Whether the root filesystem is writable; what is written does not outlive the machine."""
    masked_paths: tuple[str, ...] | None = None
    """Paths that the container cannot see; null: the runtime's defaults, empty: none."""
    readonly_paths: tuple[str, ...] | None = None
    """Paths that the container cannot change; null: the runtime's defaults, empty: none."""
    rootfs_propagation: str = ""
    """How mounts propagate between container and host; empty: not at all."""

    def mistakes(self) -> Iterator[Mistake]:
        """runc refuses a propagation that it does not know (``not supported``)."""
        if self.rootfs_propagation and self.rootfs_propagation not in ROOTFS_PROPAGATIONS:
            known = ", ".join(ROOTFS_PROPAGATIONS)
            text = f"rootfs propagation {quote(self.rootfs_propagation)} is not one of {known}"
            yield ("rootfs_propagation",), text


class Container(
    Value,
    proto={
        "entrypoint": 1,
        "environment": 2,
        "environmentFile": 3,
        "args": 4,
        "mounts": 5,
        "security": 6,
    },
):
    """What runs: ``entrypoint`` and ``args`` inside the service's own root filesystem."""

    entrypoint: str
    """The program, relative to the service's root filesystem."""
    environment: tuple[str, ...] = ()
    """``KEY=VALUE``; an item without ``=`` removes that key from what is there already."""
    environment_file: str = ""
    """Deprecated: a file of variables on the host; the service waits for it to exist."""
    args: tuple[str, ...] = ()
    """What the program is given after its own name."""
    mounts: tuple[Mount, ...] = ()
    """What of the host is mounted into the container, in this order."""
    security: Security = Security()

    def mistakes(self) -> Iterator[Mistake]:
        """Rules of Talos (first) and of the runtimes."""
        if not self.entrypoint:
            yield ("entrypoint",), "container endpoint can't be empty"
        for index, item in enumerate(self.environment):
            if item.startswith("="):  # runc 1.3
                yield ("environment", index), f"environment item {quote(item)} has no name"
        for index, mount in enumerate(self.mounts):
            yield from _within(("mounts", index), mount.mistakes())
        yield from _within(("security",), self.security.mistakes())


class Dependency(
    Value,
    proto={"service": 1, "path": 2, "network": 3, "time": 4, "configuration": 5},
):
    """One thing that must be there before the service starts; exactly one field is set."""

    service: str = ""
    """The id of a service that must be running, and healthy if it says."""
    path: str = ""
    """An absolute path on the host that must exist."""
    network: tuple[NetworkCheck, ...] = ()
    """What of the network must be ready."""
    time: bool = False
    """Whether the clock must be in sync."""
    configuration: bool = False
    """Whether an ``ExtensionServiceConfig`` of the service's name must be there."""

    def mistakes(self) -> Iterator[Mistake]:
        """In Talos's order: path, then the count; an unknown network check is no value at all."""
        if self.path and not self.path.startswith("/"):
            yield ("path",), f"path is not absolute: {quote(self.path)}"
        match sum(
            map(bool, (self.service, self.path, self.network, self.time, self.configuration))
        ):
            case 0:
                yield (), "no dependency specified"
            case 1:
                pass
            case _:
                yield (), "more than a single dependency is set"

    @model_validator(mode="after")
    def _refuse_mistakes(self) -> Self:
        return _refuse(self, self.mistakes())


class ExtensionServiceSpec(
    Spec,
    type="ExtensionServiceSpecs.runtime.talos.dev",
    proto={"name": 1, "container": 2, "depends": 3, "restart": 4, "logToConsole": 5},
    columns={"Restart": "{.restart}", "Entrypoint": "{.container.entrypoint}"},
):
    """One service of the machine; its resource id is ``name``."""

    name: str
    """What the service is called; its id is ``ext-`` and this."""
    container: Container
    depends: tuple[Dependency, ...] = ()
    """What must be there before the service is started."""
    restart: Restart
    """When the service is started again after it has exited."""
    log_to_console: bool = False
    """Whether its output is shown on the machine's console too."""

    @property
    def service_id(self) -> str:
        """The id under which people and other services know it: ``ext-`` and the name."""
        return service_id(self.name)

    @cached_property
    def depends_digest(self) -> str:
        """Equal for two definitions that wait for the same things; "" for one that waits for none.

        What two controllers make of one definition carries it, so that a third can tell whether
        both have seen the same.
        """
        if not self.depends and not self.container.environment_file:
            return ""
        waited_for = [each.model_dump_json(by_alias=True) for each in self.depends]
        text = "\n".join((*waited_for, self.container.environment_file))
        return hashlib.sha256(text.encode()).hexdigest()

    def mistakes(self) -> Iterator[Mistake]:
        """All that is wrong, in Talos's order: name, restart, container, dependencies.

        Also of a draft, made by ``model_construct``, whose restart is ``None``.
        """
        yield from _within(("name",), name_mistakes(self.name))
        if not isinstance(self.restart, Restart):  # pyright: ignore[reportUnnecessaryIsInstance]
            yield ("restart",), "restart kind is invalid: RestartKind(0)"
        yield from _within(("container",), self.container.mistakes())
        for index, dependency in enumerate(self.depends):
            yield from _within(("depends", index), dependency.mistakes())
        for where, text in _texts(self):
            if "\0" in text:  # No system call takes one.
                yield where, f"a text holds a NUL character: {quote(text)}"

    @model_validator(mode="after")
    def _refuse_mistakes(self) -> Self:
        return _refuse(self, self.mistakes())


def name_mistakes(name: str) -> Iterator[Mistake]:
    """Why ``name`` cannot be a service's: Talos's rule, then that of every container runtime."""
    if not _NAME.fullmatch(name):
        yield (), f"name {quote(name)} is invalid"
    elif not _IDENTIFIER.fullmatch(service_id(name)):
        yield (), f"name {quote(name)} is invalid: - and _ may only stand between letters or digits"
    elif len(service_id(name)) > _IDENTIFIER_LENGTH:
        longest = _IDENTIFIER_LENGTH - len(SERVICE_PREFIX)
        yield (), f"name {quote(name)} is invalid: longer than {longest} characters"


def _within(prefix: Location, mistakes: Iterator[Mistake]) -> Iterator[Mistake]:
    return ((prefix + location, text) for location, text in mistakes)


def _texts(value: object, where: Location = ()) -> Iterator[tuple[Location, str]]:
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, tuple):
        for index, item in enumerate(cast("tuple[object, ...]", value)):
            yield from _texts(item, (*where, index))
    elif isinstance(value, Value):
        for name in type(value).model_fields:
            yield from _texts(getattr(value, name), (*where, name))


V = TypeVar("V", bound=Value)


def _refuse(value: V, mistakes: Iterator[Mistake]) -> V:
    if texts := [text for _, text in mistakes]:
        raise ValueError(several(texts))
    return value

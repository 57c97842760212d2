"""The definition of an extension service, with the rules that a definition must obey.

The YAML of this payload *is* the definition file, with the same keys and nesting: the output of
``get`` can be saved and loaded again. Rules and texts are those of Talos 1.14 ("Extension
Services"), in its order. After them come rules for definitions that Talos accepts but no runtime
can run; these name the runtime. A payload that breaks a rule cannot be constructed, so later code
can make a path of a name without another check.
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
# containerd 2.3, identifiers: the valid names of a container, with any driver.
_IDENTIFIER = re.compile(r"[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*")
_IDENTIFIER_LENGTH: Final = 76

ROOTFS_PROPAGATIONS: Final = tuple(
    prefix + name for name in ("private", "slave", "shared", "unbindable") for prefix in ("", "r")
)
"""The values that runc accepts as ``linux.rootfsPropagation``; Talos passes on any value."""


def service_id(name: str) -> str:
    """The id of the service ``name``, for users and for other services."""
    return SERVICE_PREFIX + name


class Restart(StrEnum):
    """When a service that exited is started again."""

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

    Talos reads these keys in lower case; the OCI spelling is an unknown key for it.
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
        """Whether its source is a path on the host (by type or, as in mount(8), by options)."""
        return self.type in {"", "bind"} or not {"bind", "rbind"}.isdisjoint(self.options)

    def mistakes(self) -> Iterator[Mistake]:
        """Mistakes that no runtime can mount; Talos reports them only at the container's start."""
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
    """Which parts of the host the container may see and change."""

    writeable_sysfs: bool = False
    """Whether every mount of type sysfs is writable."""
    writeable_rootfs: bool = False
    """Whether the root filesystem is writable; changes are lost when the machine reboots."""
    masked_paths: tuple[str, ...] | None = None
    """Paths that the container cannot see; null: the runtime's defaults, empty: none."""
    readonly_paths: tuple[str, ...] | None = None
    """Paths that the container cannot change; null: the runtime's defaults, empty: none."""
    rootfs_propagation: str = ""
    """How mounts propagate between container and host; empty: not at all."""

    def mistakes(self) -> Iterator[Mistake]:
        """A propagation that runc refuses (``not supported``)."""
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
    """The container: it runs ``entrypoint`` with ``args`` in the service's root filesystem."""

    entrypoint: str
    """The program, relative to the service's root filesystem."""
    environment: tuple[str, ...] = ()
    """``KEY=VALUE`` items; an item without ``=`` removes that key from the earlier variables."""
    environment_file: str = ""
    """Deprecated: a file of variables on the host; the service waits until it exists."""
    args: tuple[str, ...] = ()
    """The arguments of the program, without its own name."""
    mounts: tuple[Mount, ...] = ()
    """The mounts of the container, in this order."""
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
    """One condition that must hold before the service starts; exactly one field is set."""

    service: str = ""
    """The id of a service that must be running, and healthy if its health is checked."""
    path: str = ""
    """An absolute path on the host that must exist."""
    network: tuple[NetworkCheck, ...] = ()
    """The aspects of the network that must be ready."""
    time: bool = False
    """Whether the clock must be in sync."""
    configuration: bool = False
    """Whether an ``ExtensionServiceConfig`` with the service's name must exist."""

    def mistakes(self) -> Iterator[Mistake]:
        """All mistakes in Talos's order: path, then the number of fields. An unknown network check
        is refused earlier, as an invalid value."""
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
    """The name of the service; its id is ``ext-`` followed by the name."""
    container: Container
    depends: tuple[Dependency, ...] = ()
    """The conditions that must hold before the service starts."""
    restart: Restart
    """When the service is started again after it exited."""
    log_to_console: bool = False
    """Whether its output is also shown on the machine's console."""

    @property
    def service_id(self) -> str:
        """The id for users and other services: ``ext-`` and the name."""
        return service_id(self.name)

    @cached_property
    def depends_digest(self) -> str:
        """A digest that is equal for two definitions with the same conditions; "" without any.

        Two controllers copy it into their outputs for one definition, so that a third one can tell
        whether both used the same definition.
        """
        if not self.depends and not self.container.environment_file:
            return ""
        waited_for = [each.model_dump_json(by_alias=True) for each in self.depends]
        text = "\n".join((*waited_for, self.container.environment_file))
        return hashlib.sha256(text.encode()).hexdigest()

    def mistakes(self) -> Iterator[Mistake]:
        """All mistakes in Talos's order: name, restart, container, dependencies.

        It also works for a draft, made by ``model_construct``, whose restart is ``None``.
        """
        yield from _within(("name",), name_mistakes(self.name))
        if not isinstance(self.restart, Restart):  # pyright: ignore[reportUnnecessaryIsInstance]
            yield ("restart",), "restart kind is invalid: RestartKind(0)"
        yield from _within(("container",), self.container.mistakes())
        for index, dependency in enumerate(self.depends):
            yield from _within(("depends", index), dependency.mistakes())
        for where, text in _texts(self):
            if "\0" in text:  # no system call accepts it
                yield where, f"a text has a NUL character: {quote(text)}"

    @model_validator(mode="after")
    def _refuse_mistakes(self) -> Self:
        return _refuse(self, self.mistakes())


def name_mistakes(name: str) -> Iterator[Mistake]:
    """Why ``name`` is not a valid service name: Talos's rule, then that of container runtimes."""
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

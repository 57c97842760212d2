"""The payload of twenty fields that most benchmarks use, a small one, and states full of them."""

from __future__ import annotations

import functools
from typing import Any

from cosi import InMemoryState, Resource, Spec, Value


class Mount(Value):
    source: str
    destination: str
    type: str
    options: tuple[str, ...]


class Dependency(Value):
    service: str = ""
    path: str = ""
    network: tuple[str, ...] = ()
    time: bool = False


class Service(Spec, type="Services.benchmark.example.org"):
    """The same twenty fields as the reference's payload."""

    name: str
    entrypoint: str
    args: tuple[str, ...]
    environment: tuple[str, ...]
    mounts: tuple[Mount, ...]
    depends: tuple[Dependency, ...]
    restart: str
    log_to_console: bool
    write_sysfs: bool
    write_rootfs: bool
    masked_paths: tuple[str, ...]
    readonly_paths: tuple[str, ...]
    propagation: str
    memory: int
    cpu: float
    nice: int
    priority: int
    group: str
    user: str
    comment: str


class Small(Spec, type="Smalls.benchmark.example.org"):
    """Three fields: what most resources are."""

    ready: bool
    address: str
    count: int


def fields(number: int) -> dict[str, Any]:
    return {
        "name": f"service-{number}",
        "entrypoint": "./bin/service",
        "args": ["--config", "/etc/service.yaml", "--verbose"],
        "environment": ["A=1", "B=2"],
        "mounts": [
            {
                "source": f"/var/lib/{mount}",
                "destination": f"/data/{mount}",
                "type": "bind",
                "options": ["rbind", "rw"],
            }
            for mount in range(3)
        ],
        "depends": [{"service": "cri"}, {"path": "/run/x"}, {"network": ["addresses"]}],
        "restart": "always",
        "log_to_console": False,
        "write_sysfs": False,
        "write_rootfs": False,
        "masked_paths": ["/proc/kcore"],
        "readonly_paths": ["/proc/sys"],
        "propagation": "shared",
        "memory": 1 << 20,
        "cpu": 0.5,
        "nice": 0,
        "priority": 1,
        "group": "g",
        "user": "u",
        "comment": "twenty fields",
    }


def labels(number: int) -> dict[str, str]:
    return {"shard": str(number % 100), "app": "web"}


@functools.cache
def payloads(count: int) -> list[Service]:
    """So many, made once: they are immutable."""
    return [Service.model_validate(fields(number)) for number in range(count)]


async def filled(count: int) -> InMemoryState:
    state = InMemoryState()
    for number, payload in enumerate(payloads(count)):
        await state.create(Resource.new(f"{number:06}", payload, labels=labels(number)))
    return state


async def filled_small(count: int) -> InMemoryState:
    state = InMemoryState()
    for number in range(count):
        payload = Small(ready=True, address="10.0.0.1", count=number)
        await state.create(Resource.new(f"{number:06}", payload, labels=labels(number)))
    return state

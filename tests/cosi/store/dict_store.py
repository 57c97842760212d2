"""A backing store in a dictionary, which really waits, and fails when it is told to."""

from collections.abc import Iterable
from typing import Any

import anyio.lowlevel

from cosi import Pointer, Resource


class DiskFull(Exception):
    """What a failing store raises."""


class DictStore:
    def __init__(self, *resources: Resource[Any]) -> None:
        self.contents = {resource.pointer: resource for resource in resources}
        self.failing = False
        self.loads = 0
        self.under_way: dict[Pointer, int] = {}

    async def load(self) -> Iterable[Resource[Any]]:
        self.loads += 1
        await self._work()
        return self.contents.values()

    async def put(self, resource: Resource[Any]) -> None:
        await self._work(resource.pointer)
        self.contents[resource.pointer] = resource

    async def destroy(self, pointer: Pointer) -> None:
        await self._work(pointer)
        del self.contents[pointer]

    async def _work(self, pointer: Pointer | None = None) -> None:
        if pointer is not None:
            assert pointer not in self.under_way, "two writes of one address at a time"
            self.under_way[pointer] = 1
        try:
            for _ in range(3):
                await anyio.lowlevel.checkpoint()
            if self.failing:
                raise DiskFull
        finally:
            if pointer is not None:
                del self.under_way[pointer]

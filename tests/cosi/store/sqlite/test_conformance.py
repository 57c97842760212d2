"""The state suite over a state with a file: plain records, and ones with every layer."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from cosi import InMemoryState, Kind, State
from cosi.api._protobuf_marshaler import ProtobufMarshaler
from cosi.state import (
    Compression,
    Durability,
    Encryption,
    KeyRing,
    Marshaler,
    SQLiteStore,
    YamlMarshaler,
)
from cosi.testing.conformance.state import StateConformance


class InAFile(StateConformance):
    """What a restart would find is, at the end of every case, what the state has."""

    marshaler: Marshaler = YamlMarshaler()

    @pytest.fixture
    async def state(self, file: Path) -> AsyncGenerator[State]:
        async with SQLiteStore(
            file, marshaler=self.marshaler, durability=Durability.NORMAL
        ) as store:
            state = InMemoryState(store=store)
            yield state
            kept = await store.load()
            for resource in kept:
                kind: Kind[Any] = Kind(resource.namespace, resource.type, type(resource.spec))
                assert resource == await state.get(kind, resource.id)
            assert len(kept) == sum(kind.resources for kind in state.statistics().values())


class TestSQLite(InAFile):
    pass


class TestSealed(InAFile):
    marshaler = Encryption(
        Compression(ProtobufMarshaler(), min_size=0), KeyRing("a", {"a": os.urandom(32)})
    )

"""The gRPC service ``cosi.about.About``, and its client: versions of the server, schemas of types.

``cosi run`` serves it; other commands call it. Answers are JSON in a
``google.protobuf.StringValue``. Each schema is made on request: making those of all types would
add a tenth of a second to each start.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from google.protobuf.wrappers_pb2 import StringValue
from grpc.aio import AioRpcError, UnaryUnaryMultiCallable

from cosi.api.cancellation import reply
from cosi.api.client import TIMEOUT_SECONDS
from cosi.api.codec import parse
from cosi.api.failure import error_of_call
from cosi.api.roles import READERS
from cosi.api.rpc import Call, Unary
from cosi.cli.connection import Connection
from cosi.cli.json_schema import value_schema
from cosi.cli.own_version import own_version
from cosi.errors import NotFound
from cosi.resource._types import EVERY_TYPE

NAME: Final = "cosi.about.About"


class AboutService:
    """``cosi.about.About``, served beside every state that ``cosi run`` serves."""

    name = NAME

    @property
    def methods(self) -> Mapping[str, Unary]:
        """The calls, for every caller that may read the state."""
        return {"Version": Unary(self.version, READERS), "Schema": Unary(self.schema, READERS)}

    async def version(self, data: bytes, call: Call) -> bytes:
        """``{"cosi": "0.1.0", "python": "3.11.7", "os": "linux", "machine": "x86_64"}``."""
        return _answer(own_version())

    async def schema(self, data: bytes, call: Call) -> bytes:
        """The JSON Schema of the payload of a type, given its full name.

        Raises :class:`~cosi.errors.NotFound` for a type without a class in this program.
        """
        type = parse(StringValue, data).value
        payload = EVERY_TYPE.find(type)
        if payload is None:
            raise NotFound(f'the server has no class for type "{type}"')
        return _answer(value_schema(payload))


def _answer(value: object) -> bytes:
    return StringValue(value=json.dumps(value)).SerializeToString()


async def version_of(connection: Connection) -> dict[str, str]:
    """The versions of the server, as :func:`~cosi.cli.own_version.own_version` returns them there.

    Raises :class:`~cosi.errors.Unsupported` if it is not ``cosi run``.
    """
    found: dict[str, str] = await _asked(connection, "Version")
    return found


async def schema_of(connection: Connection, type: str) -> dict[str, Any]:
    """The JSON Schema of a type of the server.

    Raises :class:`~cosi.errors.Unsupported` if it is not ``cosi run``, and
    :class:`~cosi.errors.NotFound` for a type that is registered there without a class.
    """
    found: dict[str, Any] = await _asked(connection, "Schema", type)
    return found


async def _asked(connection: Connection, method: str, text: str = "") -> Any:
    call: UnaryUnaryMultiCallable[bytes, bytes] = connection.channel.unary_unary(
        f"/{NAME}/{method}"
    )
    request = StringValue(value=text).SerializeToString()
    try:
        answer = await reply(call(request, timeout=TIMEOUT_SECONDS, metadata=connection.metadata))
    except AioRpcError as error:
        raise error_of_call(error, method, None) from None
    return json.loads(parse(StringValue, answer).value)

"""A proxy in front of several machines, as apid is one: TLS, and the machine is in the metadata."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from cosi.api.certificates import GeneratedConfig, generate_config
from cosi.api.client import open_channel


@asynccontextmanager
async def proxy(
    directory: Path, nodes: Mapping[str, Path]
) -> AsyncIterator[tuple[str, GeneratedConfig]]:
    """Serve the sockets ``nodes`` by their names; yields ``HOST:PORT``, and the certificates.

    A call for any other node is ``UNAVAILABLE``, and so is one for none.
    """
    files = generate_config(directory, ["127.0.0.1"])
    pair = (files.key.read_bytes(), files.certificate.read_bytes())
    server = grpc.aio.server()
    server.add_generic_rpc_handlers([_Forward(nodes)])
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
    await server.start()
    try:
        yield f"127.0.0.1:{port}", files
    finally:
        await server.stop(None)


class _Forward(grpc.GenericRpcHandler):  # type: ignore[misc]  # its stubs have no such class
    def __init__(self, nodes: Mapping[str, Path]) -> None:
        self._nodes = nodes

    def service(self, details: Any) -> Any:
        async def forward(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
            node = dict(context.invocation_metadata()).get("node")
            if node not in self._nodes:
                await context.abort(grpc.StatusCode.UNAVAILABLE, f"no machine {node}")
            async with open_channel(f"unix:{self._nodes[node]}") as channel:
                call = channel.stream_stream(details.method)(requests)
                try:
                    async for answer in call:
                        yield answer
                except grpc.aio.AioRpcError as error:
                    more = tuple(error.trailing_metadata() or ())
                    await context.abort(error.code(), error.details() or "", more)

        # On the wire one message is a stream of one.
        return grpc.stream_stream_rpc_method_handler(forward)

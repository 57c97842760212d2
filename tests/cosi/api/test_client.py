"""How a client connects."""

from pathlib import Path

import anyio
from grpc import ChannelConnectivity

from cosi.api.client import open_channel
from cosi.api.sockets import unix_socket


async def test_a_busy_server_is_waited_for(tmp_path: Path) -> None:
    """An attempt once had 100 ms: a server that was busy for longer was "unavailable"."""
    path = tmp_path / "cosi.sock"
    with unix_socket(path):  # connects, and says nothing
        async with open_channel(f"unix:{path}") as channel:
            state = channel.get_state(try_to_connect=True)
            while state is not ChannelConnectivity.CONNECTING:
                await channel.wait_for_state_change(state)
                state = channel.get_state()
            with anyio.move_on_after(0.3) as waiting:  # gRPC's clock is the real one
                await channel.wait_for_state_change(state)
            assert waiting.cancelled_caught

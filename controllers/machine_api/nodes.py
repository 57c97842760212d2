"""The metadata of answers: one for each node that a call names (Talos 1.14: ``nodes`` metadata).

There is only one node here, and it answers for every name, because only a proxy knows its names.
"""

from __future__ import annotations

from controllers.machine_api.proto.common_pb2 import Metadata
from cosi.api.rpc import Call


def metadata_of(call: Call) -> list[Metadata | None]:
    """The metadata of each answer; one answer without metadata if the call names no node."""
    return [Metadata(hostname=node) for node in call.nodes] or [None]

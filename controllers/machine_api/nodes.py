"""Who answers: one message for each node that a call names (Talos 1.14: ``nodes`` metadata).

There is one node here, and it answers to every name: which of them are its own only a proxy knows.
"""

from __future__ import annotations

from controllers.machine_api.proto.common_pb2 import Metadata
from cosi.api.rpc import Call


def metadata_of(call: Call) -> list[Metadata | None]:
    """The metadata of each answer; one answer without any if the call names nobody."""
    return [Metadata(hostname=node) for node in call.nodes] or [None]

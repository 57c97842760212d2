"""The machine itself through its API: version, dependencies, and who may ask."""

import re

from google.protobuf.empty_pb2 import Empty

from controllers.machine_api.api import MachineService
from controllers.machine_api.proto import inspect_pb2, machine_pb2
from controllers.machine_api.version import tag
from cosi import EdgeType
from cosi.api.roles import OPERATORS, READERS
from tests.controllers.machine_api.conftest import Machine

SEMANTIC = re.compile(r"v\d+\.\d+\.\d+\+cosi\.[0-9A-Za-z.-]+")


async def test_the_version_is_a_semantic_one_of_talos(machine: Machine) -> None:
    method, response = "/machine.MachineService/Version", machine_pb2.VersionResponse

    (one,) = (await machine.ask(method, Empty(), response)).messages
    (named,) = (await machine.ask(method, Empty(), response, "10.0.0.1")).messages

    assert SEMANTIC.fullmatch(one.version.tag)
    assert one.version.tag.startswith("v1.14.")  # talosctl warns of a server older than itself
    assert (one.version.os, one.features.rbac) == ("linux", True)
    assert named.metadata.hostname == "10.0.0.1"
    assert SEMANTIC.fullmatch(tag())


async def test_dependencies_are_those_of_the_runtime(machine: Machine) -> None:
    method = "/inspect.InspectService/ControllerRuntimeDependencies"
    response = inspect_pb2.ControllerRuntimeDependenciesResponse

    (answer,) = (await machine.ask(method, Empty(), response)).messages

    edges = {
        (edge.resource_type.partition(".")[0], inspect_pb2.DependencyEdgeType.Name(edge.edge_type))
        for edge in answer.edges
        if edge.controller_name == "RunnerController"
    }
    assert ("ContainerSpecs", "INPUT_STRONG") in edges
    assert ("ServiceGates", "INPUT_WEAK") in edges
    assert ("Services", "OUTPUT_SHARED") in edges
    assert len(answer.edges) == len(machine.runtime.graph.edges)
    assert {edge.type for edge in machine.runtime.graph.edges} <= set(EdgeType)


def test_roles_are_those_of_talos(machine: Machine) -> None:
    methods = MachineService(machine.state, machine.logs).methods

    changing = {name for name, method in methods.items() if method.roles == OPERATORS}
    reading = {name for name, method in methods.items() if method.roles == READERS}
    assert changing == {"ServiceStart", "ServiceStop", "ServiceRestart"}
    assert reading == set(methods) - changing

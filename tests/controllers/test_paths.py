"""Where everything lies."""

from pathlib import Path

from controllers.oci.host_facts import read_host_facts
from controllers.paths import Paths


def test_the_machines_own_tree_has_no_name() -> None:
    assert Paths("/").tree == ""


def test_each_other_tree_has_a_name_of_its_own_that_does_not_depend_on_how_it_is_said(
    tmp_path: Path,
) -> None:
    a, b = Paths(tmp_path / "a"), Paths(tmp_path / "b")
    assert a.tree != b.tree
    assert a.tree == Paths(tmp_path / "b/../a").tree


def test_two_trees_have_no_cgroup_in_common(tmp_path: Path) -> None:
    ours = read_host_facts("", Paths("/").tree).cgroup_root
    assert read_host_facts("", Paths(tmp_path).tree).cgroup_root.startswith(f"{ours}/cosi-")

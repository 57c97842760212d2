"""A reload reads what no watch has told of: files on a filesystem without inotify, for example.

Issue 14, item 16.
"""

from __future__ import annotations

import os
from pathlib import Path

from controllers.config_documents import ConfigDocumentsController
from controllers.paths import Paths
from controllers.service_files import ServiceFilesController
from cosi.testing._harness import Harness
from resources.extension_service import ExtensionServiceSpec
from resources.extension_service_config import ExtensionServiceConfig
from tests.controllers.definitions.files import ToldFiles, definition


async def entrypoints(cosi: Harness) -> dict[str, str]:
    specs = await cosi.list(ExtensionServiceSpec)
    return {id: spec.container.entrypoint for id, spec in specs.items()}


async def test_definitions_are_read_again(cosi: Harness, tmp_path: Path) -> None:
    """New ones, those that are gone, and one that looks as it did: same size, same time."""
    paths = Paths(tmp_path)
    paths.definitions.mkdir(parents=True)
    same, gone, new = (paths.definitions / f"{name}.yaml" for name in ("same", "gone", "new"))
    same.write_text(definition("same", "./a"))
    gone.write_text(definition("gone", "./a"))
    before = same.stat()
    cosi.start(ServiceFilesController(paths, ToldFiles()))
    assert await entrypoints(cosi) == {"same": "./a", "gone": "./a"}

    same.write_text(definition("same", "./b"))
    os.utime(same, ns=(before.st_atime_ns, before.st_mtime_ns))
    gone.unlink()
    new.write_text(definition("new", "./a"))
    assert await entrypoints(cosi) == {"same": "./a", "gone": "./a"}
    cosi.runtime.reload()
    assert await entrypoints(cosi) == {"same": "./b", "new": "./a"}


async def test_configuration_is_read_again(cosi: Harness, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    text = "apiVersion: v1alpha1\nkind: ExtensionServiceConfig\nname: a\nenvironment: [A=1]\n"
    path.write_text(text)  # a few bytes
    cosi.start(ConfigDocumentsController([path], ToldFiles()))
    config = await cosi.get(ExtensionServiceConfig, "a")
    assert config.environment == ("A=1",)
    path.write_text(text.replace("A=1", "A=2"))
    cosi.runtime.reload()
    config = await cosi.get(ExtensionServiceConfig, "a")
    assert config.environment == ("A=2",)

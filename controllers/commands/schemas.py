"""JSON Schemas of definition and configuration files, for ``cosi schema`` and editors."""

from __future__ import annotations

from typing import Any

from cosi.cli.json_schema import DIALECT, value_schema


def definition() -> dict[str, Any]:
    """The definition file of an extension service (`/usr/local/etc/containers/NAME.yaml`)."""
    from resources.extension_service import ExtensionServiceSpec

    return {"$schema": DIALECT, "title": "Extension service"} | value_schema(ExtensionServiceSpec)


def configuration() -> dict[str, Any]:
    """One ExtensionServiceConfig document of the machine configuration."""
    from controllers.definitions.service_config import ConfigDocument

    return {"$schema": DIALECT, "title": "ExtensionServiceConfig"} | value_schema(ConfigDocument)

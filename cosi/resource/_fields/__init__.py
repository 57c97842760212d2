"""The base classes that store the fields of metadata and resources: compiled, or plain Python.

The two modules behave the same (``tests/cosi/resource/test_fields.py``). The meaning of the fields,
and their immutability, is in :mod:`cosi.resource._metadata` and :mod:`cosi.resource._envelope`.
``compiled`` is used if it was built (``pyproject.toml``), unless the environment has
``COSI_PURE_PYTHON=1``.
"""

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from cosi.resource._fields.plain import Envelope, MetadataFields

__all__ = ["COMPILED", "Envelope", "MetadataFields"]

if not (TYPE_CHECKING or os.environ.get("COSI_PURE_PYTHON") == "1"):
    with suppress(ImportError):
        from cosi.resource._fields.compiled import Envelope, MetadataFields

COMPILED: Final = MetadataFields.__module__ == "cosi.resource._fields.compiled"

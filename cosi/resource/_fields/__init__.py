"""What metadata and resources keep their fields in: compiled where there was a compiler, or plain.

Two modules with the same promise (``tests/cosi/resource/test_fields.py``). What the fields mean,
and that nobody changes them, is in :mod:`cosi.resource._metadata` and
:mod:`cosi.resource._envelope`, once. ``compiled`` is taken where it was built (``pyproject.toml``),
unless the environment says ``COSI_PURE_PYTHON=1``.
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

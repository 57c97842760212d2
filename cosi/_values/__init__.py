"""What metadata and resources keep their fields in: compiled where there was a compiler, or plain.

Two modules with the same promise (``tests/cosi/test_values.py``). What the fields mean, and that
nobody changes them, is in :mod:`cosi.metadata` and :mod:`cosi.resource`, once. ``compiled`` is
taken where it was built (``pyproject.toml``), unless the environment says ``COSI_PURE_PYTHON=1``.
"""

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from cosi._values.plain import Envelope, MetadataFields

__all__ = ["COMPILED", "Envelope", "MetadataFields"]

if not (TYPE_CHECKING or os.environ.get("COSI_PURE_PYTHON") == "1"):
    with suppress(ImportError):
        from cosi._values.compiled import Envelope, MetadataFields

COMPILED: Final = MetadataFields.__module__ == "cosi._values.compiled"

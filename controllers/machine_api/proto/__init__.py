"""The messages of the machine API; made by ``python -m cosi.api.generate``."""

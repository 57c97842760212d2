"""Messages of the COSI state service; the ``_pb2`` modules are generated."""

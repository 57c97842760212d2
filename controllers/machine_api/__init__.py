"""The machine API: services, logs and events for people and tools, as Talos 1.14 serves them.

A rim: it reads ``ServiceState`` and logs, and writes ``ServiceRequest``. It has no side door to the
runner. :func:`~controllers.machine_api.api.machine_services` makes what a server serves.
"""

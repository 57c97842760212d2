"""The machine API: services, logs and events for users and tools, as in Talos 1.14.

It only reads ``ServiceState`` and logs, and writes ``ServiceRequest``; it has no direct access to
the runner. :func:`~controllers.machine_api.api.machine_services` makes the gRPC services.
"""

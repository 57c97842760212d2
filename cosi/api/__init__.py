"""The state on the wire: COSI's gRPC service, a server for any state, a state that is a client.

Import the module that you need (``cosi.api.client``, ``cosi.api.server``). This package itself
imports nothing, so that a client does not have to load the server.

Layout, from the wire inwards::

    proto/       the messages, and the modules that protoc generates
                 (``python -m cosi.api.generate``)
    payload      payload classes as protobuf messages, by the field numbers that they declare
    codec        resources as bytes and back; encoded once, kept with the resource
    query        label and id queries as messages and back
    failure      errors as status codes and back, without losing the class of the error
    rpc          a typed layer over grpc.aio: methods, calls, refusals
    state        the eight methods; watching is the longest of them
    roles        which caller may call which method
    _sensitive   which types a caller may read
    _admission   which client may connect to a socket: peer credentials
    server       listeners: a Unix socket, TLS
    client       RemoteState, and watches that outlive the server's restarts
    certificates a CA, a server's certificate, an administrator's talosconfig
"""

"""The state on the wire: COSI's gRPC service, a server for any state, a state that is a client.

Import what is meant (``cosi.api.client``, ``cosi.api.server``); this package itself imports
nothing, so that a program which only asks does not pay for one which answers.

Layout, from the wire inwards::

    proto/       the messages, and what protoc makes of them (``python -m cosi.api.generate``)
    payload      payload classes as protobuf messages, by the field numbers that they declare
    codec        resources as bytes and back; encoded once, kept with the resource
    query        label and id queries as messages and back
    failure      errors as status codes and back, without losing which error it was
    rpc          a typed face for grpc.aio: what a method is, how a call is refused
    state        the eight methods; watching is the longest of them
    access       who may call what: roles, and what each of them is refused
    gate         who may connect to a socket: peer credentials
    server       listeners: a Unix socket, TLS
    client       RemoteState, and watches that outlive the server's restarts
    certificates a CA, a server's certificate, an administrator's talosconfig
"""

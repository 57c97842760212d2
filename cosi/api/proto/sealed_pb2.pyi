from cosi.api.proto import state_pb2 as _state_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Answer(_message.Message):
    __slots__ = ("resource",)
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    resource: bytes
    def __init__(self, resource: _Optional[bytes] = ...) -> None: ...

class CreateRequest(_message.Message):
    __slots__ = ("resource", "options")
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    resource: bytes
    options: _state_pb2.CreateOptions
    def __init__(self, resource: _Optional[bytes] = ..., options: _Optional[_Union[_state_pb2.CreateOptions, _Mapping[str, object]]] = ...) -> None: ...

class UpdateRequest(_message.Message):
    __slots__ = ("new_resource", "options")
    NEW_RESOURCE_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    new_resource: bytes
    options: _state_pb2.UpdateOptions
    def __init__(self, new_resource: _Optional[bytes] = ..., options: _Optional[_Union[_state_pb2.UpdateOptions, _Mapping[str, object]]] = ...) -> None: ...

class Failure(_message.Message):
    __slots__ = ("error", "located", "namespace", "type", "id")
    ERROR_FIELD_NUMBER: _ClassVar[int]
    LOCATED_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    error: str
    located: bool
    namespace: str
    type: str
    id: str
    def __init__(self, error: _Optional[str] = ..., located: _Optional[bool] = ..., namespace: _Optional[str] = ..., type: _Optional[str] = ..., id: _Optional[str] = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ("resource", "event_type", "old", "error", "bookmark", "failure")
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    OLD_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    BOOKMARK_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    resource: bytes
    event_type: int
    old: bytes
    error: str
    bookmark: bytes
    failure: Failure
    def __init__(self, resource: _Optional[bytes] = ..., event_type: _Optional[int] = ..., old: _Optional[bytes] = ..., error: _Optional[str] = ..., bookmark: _Optional[bytes] = ..., failure: _Optional[_Union[Failure, _Mapping[str, object]]] = ...) -> None: ...

class WatchResponse(_message.Message):
    __slots__ = ("event",)
    EVENT_FIELD_NUMBER: _ClassVar[int]
    event: _containers.RepeatedCompositeFieldContainer[Event]
    def __init__(self, event: _Optional[_Iterable[_Union[Event, _Mapping[str, object]]]] = ...) -> None: ...

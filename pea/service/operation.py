"""What a route promises: the one declaration that the router, the checks before a handler and OpenAPI all read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from aiohttp import web

from pea.service.access.scopes import Scope
from pea.service.query import NoQuery

JSON = "application/json"
EVENT_STREAM = "text/event-stream"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Header(msgspec.Struct, frozen=True):
    """A header that a route reads or answers with; ``schema`` is its value's JSON schema."""

    name: str
    what: str
    schema: Mapping[str, Any]


class Answer(msgspec.Struct, frozen=True):
    """One successful answer: ``body`` is the type of its JSON, or of the data of its events; None when it has neither.

    ``links`` name the operations that take the answer's ``id``.
    """

    what: str
    body: Any = None
    media: str | None = JSON
    headers: tuple[Header, ...] = ()
    links: tuple[str, ...] = ()


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One method of one path.

    ``problems`` are the statuses of the problems it may answer with, beside those that any route may. ``traced`` is
    false for what machines poll: probes would fill traces, and their own metric, with nothing.
    """

    method: str
    path: str
    handler: Handler
    name: str
    tag: str
    summary: str
    answers: Mapping[int, Answer]
    description: str = ""
    parameters: Mapping[str, Header] = {}
    query: type[msgspec.Struct] = NoQuery
    headers: tuple[Header, ...] = ()
    body: type[msgspec.Struct] | None = None  # what is sent, as JSON
    needs_body: bool = True
    problems: tuple[int, ...] = ()
    traced: bool = True
    scope: Scope | None = None  # None: nobody has decided; it takes admin, and a test refuses it
    media: str | None = JSON  # what Accept is held against; None: nothing is, and the query is the handler's own affair

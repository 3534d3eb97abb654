"""The page's login: a token is shown once and becomes a cookie that scripts cannot read and other sites cannot use."""

from __future__ import annotations

from typing import Annotated

import msgspec
from aiohttp import web

from pea.service.access.gate import CALLER, Caller, caller_of
from pea.service.access.scopes import GRANTED, Scope
from pea.service.access.state import GATE
from pea.service.body import read_struct
from pea.service.json_answer import json_answer
from pea.service.operation import Answer, Operation

MAX_TOKEN = 200


class LoginJson(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A token, as `pea tokens add` printed it."""

    token: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TOKEN)]


class SessionJson(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks. Without ``locked`` no token is needed; ``scopes`` are empty when none was shown."""

    locked: bool
    name: str
    scopes: tuple[Scope, ...]


async def show(request: web.Request) -> web.Response:
    """Who asks, and what they may do."""
    return json_answer(_session(request))


async def begin(request: web.Request) -> web.Response:
    """Log in."""
    gate = request.app[GATE]
    given = await read_struct(request, LoginJson)
    if not gate.locked:
        return json_answer(_session(request))
    token = gate.book.recognise(given.token.strip())
    if token is None:
        gate.fail(request, shown=True)
    request[CALLER] = Caller(token.name, token)
    gate.rates.take(token)
    response = json_answer(_session(request))
    response.set_cookie(
        gate.cookie,
        gate.sessions.begin(token.id),
        max_age=int(gate.sessions.lifetime_s),
        path="/",
        httponly=True,
        samesite="Strict",
        secure=gate.secure,
    )
    return response


async def end(request: web.Request) -> web.Response:
    """Log out: the cookie means nothing from now on, wherever it is."""
    gate = request.app[GATE]
    number = request.cookies.get(gate.cookie)
    if number is not None:
        gate.sessions.end(number)
    response = json_answer(SessionJson(locked=gate.locked, name="nobody", scopes=()))
    response.del_cookie(gate.cookie, path="/", httponly=True, samesite="Strict", secure=gate.secure)
    return response


def _session(request: web.Request) -> SessionJson:
    caller = caller_of(request)
    scopes = GRANTED if caller.local else () if caller.token is None else caller.token.scopes
    return SessionJson(locked=request.app[GATE].locked, name=caller.name, scopes=scopes)


_WHO = Answer("Who asks.", SessionJson)
ROUTES = (
    Operation(
        method="GET",
        path="/v1/session",
        handler=show,
        name="getSession",
        tag="access",
        summary="Who asks, and what they may do",
        answers={200: _WHO},
        traced=False,
        scope=Scope.PUBLIC,
    ),
    Operation(
        method="POST",
        path="/v1/session",
        handler=begin,
        name="logIn",
        tag="access",
        summary="Log in with a token: the answer sets a cookie",
        body=LoginJson,
        answers={200: _WHO},
        problems=(401, 408, 413, 415, 429),
        scope=Scope.PUBLIC,
    ),
    Operation(
        method="DELETE",
        path="/v1/session",
        handler=end,
        name="logOut",
        tag="access",
        summary="Log out",
        answers={200: _WHO},
        scope=Scope.PUBLIC,
    ),
)

"""Reads a query string into a typed struct and names the parameter that does not fit."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from aiohttp import web

from pea.errors import did_you_mean
from pea.service.fields import misfit
from pea.service.refusals import BadParameter

Q = TypeVar("Q", bound=msgspec.Struct)


class NoQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A route without query parameters."""


def read_query(request: web.Request, kind: type[Q]) -> Q:
    """The query as a struct; BadParameter for a parameter that is unknown, given twice or of a wrong value."""
    query = request.query
    known = kind.__struct_encode_fields__
    for name in query:
        if name not in known:
            fix = did_you_mean(name, known) if known else "this route takes no query parameters"
            raise BadParameter("there is no such query parameter", where=ascii(name)[1:-1], fix=fix)
        if len(query.getall(name)) > 1:
            raise BadParameter("is given more than once", where=name)
    try:
        return msgspec.convert(dict(query), kind, strict=False)
    except msgspec.ValidationError as error:
        what, where, fix = misfit(error, kind)
        raise BadParameter(what, where=where, fix=fix) from None

"""Talk to a running service from the command line."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from pea.cli.credentials import credentials
from pea.config import Settings
from pea.errors import (
    AgentUnavailable,
    Conflict,
    InputError,
    Overloaded,
    PeaError,
    TaskForgotten,
    UnknownAgent,
    UnknownCapability,
    UnknownTask,
)

_BY_CODE = {
    kind.code: kind
    for kind in (AgentUnavailable, Conflict, InputError, TaskForgotten, UnknownAgent, UnknownCapability, UnknownTask)
}


class Unreachable(PeaError):
    """No service answers at this address."""

    code = "unreachable"


def address(settings: Settings, url: str | None) -> str:
    """Where the service is: ``--url``, else the configured host and port."""
    if url:
        return url.rstrip("/")
    host = settings.service.host
    scheme = "https" if settings.access.tls.cert else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{settings.service.port}"


def request(
    base: str,
    method: str,
    path: str,
    *,
    query: Mapping[str, Any] | None = None,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = 30.0,
) -> Any:
    """One request and its decoded JSON answer; a problem becomes the PEA error it was made from.

    Raises Unreachable when nothing answers.
    """
    return asyncio.run(_request(base, method, path, query, body, headers, timeout_s))


async def _request(
    base: str,
    method: str,
    path: str,
    query: Mapping[str, Any] | None,
    body: Any,
    headers: Mapping[str, str] | None,
    timeout_s: float,
) -> Any:
    import aiohttp

    shown = credentials()
    sent = {"Content-Type": "application/json", **shown.headers, **(headers or {})}
    params = {name: str(value) for name, value in (query or {}).items() if value is not None}
    data = None if body is None else msgspec.json.encode(body)
    limit = aiohttp.ClientTimeout(total=timeout_s)
    try:
        async with (
            aiohttp.ClientSession(timeout=limit) as session,
            session.request(method, base + path, params=params, data=data, headers=sent, ssl=shown.verify) as response,
        ):
            content, status = await response.read(), response.status
    except aiohttp.ClientSSLError as error:
        fix = "set PEA_CA to the PEM file of who signed its certificate; PEA_CLIENT_CERT to yours if it wants one"
        raise Unreachable(f"no secure connection: {error}", where=base, fix=fix) from None
    except (aiohttp.ClientConnectionError, TimeoutError) as error:
        raise Unreachable(
            f"no service answers: {str(error) or 'timed out'}", where=base, fix="start it: pea serve"
        ) from None
    except (aiohttp.ClientError, ValueError) as error:
        raise Unreachable(f"is not a PEA service: {error}", where=base, fix="give --url its address") from None
    try:
        answer = msgspec.json.decode(content) if content else None
    except msgspec.DecodeError:
        raise Unreachable(f"answered {status} with something that is not JSON", where=base, fix="is it PEA?") from None
    if status >= 400:
        raise _error(answer if isinstance(answer, dict) else {}, status)
    return answer


def _error(problem: Mapping[str, Any], status: int) -> PeaError:
    code = str(problem.get("type", "")).rsplit("/", 1)[-1]
    what = str(problem.get("detail") or problem.get("title") or f"the service answered {status}")
    where, fix = problem.get("where"), problem.get("fix")
    if status == HTTPStatus.UNAUTHORIZED:
        fix = "set PEA_TOKEN, or PEA_TOKEN_FILE, to a token; where the service runs: pea tokens add"
    if code == Overloaded.code:
        return Overloaded(what, retry_after_s=1.0, where=where, fix=fix)
    return _BY_CODE.get(code, PeaError)(what, where=where, fix=fix)

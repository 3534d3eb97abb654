"""One exchange with a server: a span around it, a time limit, and further attempts where repeating does no harm."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind

from pea.config.connectors import Account
from pea.connect.accounts import place, server
from pea.connect.failures import Unreachable
from pea.telemetry import ActiveSpan, names

T = TypeVar("T")

BASE_S, CAP_S = 0.1, 2.0


def span(name: str, attributes: Mapping[str, Any], kind: SpanKind = SpanKind.INTERNAL) -> AbstractContextManager[Span]:
    """A span below the current one, by whoever made that."""
    above = trace.get_current_span()
    if isinstance(above, ActiveSpan):
        return above.tracer.span(name, attributes, kind=kind)
    return trace.get_tracer("pea.connect").start_as_current_span(name, kind=kind, attributes=attributes)


async def exchange(
    name: str,
    account: Account,
    operation: str,
    work: Callable[[], Awaitable[T]],
    *,
    again: bool = True,
    timeout_s: float | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    chance: Callable[[], float] = random.random,
) -> T:
    """What ``work`` returns; repeated with full jitter when the server cannot be reached and ``again`` allows it.

    Raises Unreachable when the last attempt failed or took longer than ``timeout_s`` (the account's, if None).
    """
    attributes = {
        names.PEA_CONNECTOR_NAME: name,
        names.PEA_CONNECTOR_KIND: account.kind,
        names.PEA_CONNECTOR_OPERATION: operation,
        names.SERVER_ADDRESS: server(account),
    }
    attempts = 1 + (account.retries if again else 0)
    limit = float(account.timeout) if timeout_s is None else timeout_s
    with span(f"{names.SPAN_CONNECTOR_CALL} {operation}", attributes, SpanKind.CLIENT) as current:
        for number in range(1, attempts + 1):
            try:
                async with asyncio.timeout(limit):
                    result = await work()
                current.set_attribute(names.PEA_CONNECTOR_ATTEMPTS, number)
                return result
            except TimeoutError:
                failure = Unreachable(f"no answer within {limit:g} s", where=place(name, account))
            except Unreachable as error:
                failure = error
            if number == attempts:
                current.set_attribute(names.PEA_CONNECTOR_ATTEMPTS, number)
                raise failure
            await sleep(chance() * min(CAP_S, BASE_S * 2**number))
    raise AssertionError("unreachable")


def moved(size: int) -> None:
    """Note bytes that were sent or received for the present exchange, beside those of its other attempts."""
    current = trace.get_current_span()
    before = (getattr(current, "attributes", None) or {}).get(names.PEA_CONNECTOR_BYTES, 0)
    current.set_attribute(names.PEA_CONNECTOR_BYTES, before + size)


def reason(error: OSError) -> str:
    """Why the network did not do it, in the system's words without numbers."""
    return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error) or type(error).__name__

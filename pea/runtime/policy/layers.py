"""What is wrapped around an attempt where a policy asks for it: retries, a deadline for the whole, a stand-in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Protocol

import msgspec
from opentelemetry.trace import Link, get_current_span

from pea.runtime.policy.budget import Budget
from pea.runtime.policy.effective import Effective
from pea.runtime.policy.lane import stand_ins
from pea.runtime.policy.outcome import worth_a_fallback, worth_retrying
from pea.runtime.retry import backoff_s
from pea.telemetry import names
from pea.telemetry.span import type_name


class Attempt(Protocol):
    """One attempt, on whichever replica; see `Lane.attempt`."""

    def __call__(
        self,
        arguments: Mapping[str, Any],
        deadline: float,
        task_id: str | None,
        number: int = 1,
        links: Sequence[Link] = (),
        hedge: bool = False,  # noqa: FBT001, FBT002
    ) -> Coroutine[Any, Any, Any]:
        """Return the checked result or raise."""


Call = Callable[[Mapping[str, Any], float, str | None], Coroutine[Any, Any, Any]]
Elsewhere = Callable[[str, Mapping[str, Any], float, str | None], Coroutine[Any, Any, Any]]


def retrying(
    inner: Attempt, policy: Effective, budget: Budget, successes: Callable[[], int], clock: Callable[[], float]
) -> Call:
    """``inner``, tried again while that is worth it, paid for, and there is time left."""
    retries, base_s, cap_s = policy.retries, policy.retry_base_s, policy.retry_cap_s

    async def call(arguments: Mapping[str, Any], deadline: float, task_id: str | None) -> Any:
        failed: list[Link] = []
        number = 1
        while True:
            try:
                return await inner(arguments, deadline, task_id, number, failed)
            except Exception as error:
                pause_s = backoff_s(number, base_s, cap_s)
                if number > retries or not worth_retrying(error) or clock() + pause_s >= deadline:
                    raise
                if not budget.withdraw(successes()):
                    get_current_span().add_event(names.EVENT_RETRY_REFUSED, {names.PEA_ATTEMPT: number + 1})
                    raise
            number += 1
            await asyncio.sleep(pause_s)

    return call


def limited(inner: Call | Attempt, deadline_s: float, clock: Callable[[], float]) -> Call:
    """``inner`` with a deadline for all attempts together; never later than the caller's."""

    async def call(arguments: Mapping[str, Any], deadline: float, task_id: str | None) -> Any:
        return await inner(arguments, min(deadline, clock() + deadline_s), task_id)

    return call


def standing_in(inner: Call | Attempt, name: str, value: Any, other: str, elsewhere: Elsewhere) -> Call:
    """``inner``, or when that fails ``value``, or the answer of the capability ``other``.

    The caller's span says so in an event, and an answer made from it is not kept in a cache.
    """

    async def call(arguments: Mapping[str, Any], deadline: float, task_id: str | None) -> Any:
        try:
            return await inner(arguments, deadline, task_id)
        except Exception as error:
            if not worth_a_fallback(error):
                raise
            reason = getattr(type(error), "code", "") or type_name(error)
        about = {names.PEA_CAPABILITY: name, names.PEA_FALLBACK: other or "value", names.ERROR_TYPE: str(reason)}
        get_current_span().add_event(names.EVENT_FALLBACK, about)
        noted = stand_ins.get()
        if noted is not None:
            noted.append(name)
        return value if value is not msgspec.UNSET else await elsewhere(other, arguments, deadline, task_id)

    return call

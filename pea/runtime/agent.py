"""What the author of an agent writes: a class with typed, declared capabilities."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import msgspec

from pea.config import Seconds

if TYPE_CHECKING:
    from pea.runtime.context import Context

F = TypeVar("F", bound=Callable[..., Awaitable[Any]])


class Declared(msgspec.Struct, frozen=True):
    """What `@capability` noted about a method; None means the setting's default."""

    name: str
    timeout_s: float | None
    retries: int | None
    idempotent: bool


def capability(
    name: str,
    *,
    timeout: str | float | None = None,
    retries: int | None = None,
    idempotent: bool | None = None,
) -> Callable[[F], F]:
    """Declare a method as a capability that others can call by ``name`` (``agent.verb``).

    The method takes a `Context` and typed arguments and returns a typed value; the types are checked at each call and
    published as JSON schemas. ``timeout`` (``"2s"``) bounds each attempt. ``idempotent`` says that running it twice
    does no harm; only then is it tried again after a failure, ``retries`` times at most (the setting
    ``runtime.retries`` when not given). Giving ``retries`` implies it. Raises TypeError for a declaration that
    contradicts itself.
    """
    if not all(part.isidentifier() for part in name.split(".")) or "." not in name:
        raise TypeError(f"a capability is named like 'calendar.agenda', not {name!r}")
    if retries and idempotent is False:
        raise TypeError(f"{name}: only an idempotent capability can be retried")
    declared = Declared(
        name=name,
        timeout_s=None if timeout is None else float(Seconds.parse(timeout)),
        retries=retries,
        idempotent=bool(retries) if idempotent is None else idempotent,
    )

    def note(method: F) -> F:
        is_async: bool = inspect.iscoroutinefunction(method)
        if not is_async:
            raise TypeError(f"{name}: a capability is an async method")
        method.__pea_capability__ = declared  # type: ignore[attr-defined]
        return method

    return note


class Agent:
    """A worker that offers capabilities. Subclass it, name it, declare methods with `@capability`.

    An instance lives as long as its runtime. ``start`` may take 100 ms and runs beside the other agents'; what costs
    more is better done at the first call. ``health`` is asked by readiness checks and should answer within 10 ms.
    """

    name: ClassVar[str] = ""

    async def start(self, ctx: Context) -> None:
        """Acquire what the agent needs; an exception leaves it out of service and the others running."""

    async def stop(self) -> None:
        """Give back what `start` acquired."""

    async def health(self) -> str | None:
        """What is wrong in a few words, or None when all is well."""
        return None

"""What the author of an agent writes: a class with typed, declared capabilities."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

import msgspec

from pea.config import Seconds
from pea.runtime.batch import Batch

if TYPE_CHECKING:
    from pea.runtime.context import Context

F = TypeVar("F", bound=Callable[..., Awaitable[Any] | AsyncIterator[Any]])
PriorityName = Literal["low", "normal", "high", "critical"]


class Declared(msgspec.Struct, frozen=True):
    """What `@capability` noted about a method; None means the setting's default."""

    name: str
    timeout_s: float | None
    retries: int | None
    idempotent: bool
    cache_s: float | None = None
    tags: tuple[str, ...] = ()
    resumable: bool = False
    priority: PriorityName | None = None
    writes: bool = True
    batch: Batch | None = None
    streams: bool = False
    cache_entries: int | None = None


def capability(
    name: str,
    *,
    timeout: str | float | None = None,
    retries: int | None = None,
    idempotent: bool | None = None,
    cache: str | float | None = None,
    cache_entries: int | None = None,
    tags: Iterable[str] = (),
    resumable: bool = False,
    priority: PriorityName | None = None,
    writes: bool | None = None,
    batch: Batch | None = None,
) -> Callable[[F], F]:
    """Declare a method as a capability that others can call by ``name`` (``agent.verb``).

    The method takes a `Context` and typed arguments and returns a typed value; the types are checked at each call and
    published as JSON schemas. ``timeout`` (``"2s"``) bounds each attempt. ``idempotent`` says that running it twice
    does no harm; only then is it tried again after a failure, ``retries`` times at most (the setting
    ``runtime.retries`` when not given). Giving ``retries`` or ``cache`` implies it.

    ``cache`` (``"15m"``) keeps results by input, in the tiers of `pea.cache`, under the name ``agent:verb:…`` and under
    ``tags``, which may name arguments (``"rates:{base}"``); events drop them. An answer that depends on more than its
    input needs `Agent.cache_version`. ``cache_entries`` bounds how many are kept, beside the tiers' own bounds: the one
    used least recently leaves all tiers.

    ``resumable`` says that all it changes, it changes through calls: after a crash it is then begun again, and those
    of its calls that had ended are answered from the journal (docs/durability.md). What is idempotent is resumable.

    ``writes`` says whether it changes anything that lasts; what is not idempotent is taken to, unless said otherwise.
    Hosts of the Model Context Protocol are told, and `orchestrator.ask` never runs what writes.
    ``priority`` is what its tasks have when their submitter asks for none; only what cannot wait is ``"critical"``.
    ``batch`` has the method take a list of what each caller gave and return one as long; see `pea.runtime.batching`.
    A method that yields (an async generator, ``-> AsyncIterator[T]``) streams: see `Context.stream`.
    Raises TypeError for a declaration that contradicts itself.
    """
    if not all(part.isidentifier() for part in name.split(".")) or "." not in name:
        raise TypeError(f"a capability is named like 'calendar.agenda', not {name!r}")
    if (retries or cache is not None) and idempotent is False:
        raise TypeError(f"{name}: only an idempotent capability can be retried or cached")
    if cache_entries is not None and (cache is None or cache_entries < 1):
        raise TypeError(f"{name}: cache_entries is one at least, of a capability that is cached")
    if isinstance(tags, str) or (tags and cache is None):
        raise TypeError(f"{name}: tags are a list of texts, for a capability that is cached")
    declared = Declared(
        name=name,
        timeout_s=None if timeout is None else float(Seconds.parse(timeout)),
        retries=retries,
        idempotent=bool(retries) or cache is not None if idempotent is None else idempotent,
        cache_s=None if cache is None else float(Seconds.parse(cache)),
        tags=tuple(tags),
        resumable=resumable,
        priority=priority,
        writes=writes if writes is not None else not (retries or cache is not None or idempotent),
        batch=batch,
        cache_entries=cache_entries,
    )

    def note(method: F) -> F:
        streams: bool = inspect.isasyncgenfunction(method)
        if not streams and not inspect.iscoroutinefunction(method):
            raise TypeError(f"{name}: a capability is an async method")
        if streams and batch is not None:
            raise TypeError(f"{name}: what streams is not collected into batches")
        noted = msgspec.structs.replace(declared, streams=streams)
        method.__pea_capability__ = noted  # type: ignore[attr-defined]
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

    async def cache_version(self, ctx: Context) -> str:  # noqa: ARG002 - for those that override it
        """What the cached answers depend on besides their input: the state of files, today's date.

        It is part of every cache key, so an answer from another version is never given. Asked at each cached call: it
        should cost far less than the answer.
        """
        return ""

    async def health(self) -> str | None:
        """What is wrong in a few words, or None when all is well."""
        return None

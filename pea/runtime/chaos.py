"""Faults put into agents on purpose, so that an alert can be seen to find them: slow, error, leak, block.

A fault is written ``KIND:AGENT=AMOUNT``, with ``,after=TIME`` and ``,for=TIME`` when it is to begin later and to end:
``slow:travel=800ms,after=10m,for=5m``. It strikes each call once, before the agent's own code, whether or not the
answer is cached. Where no fault is asked for, no code of this module runs.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterable
from random import Random
from typing import Any, Literal, cast

import msgspec

from pea.config import Bytes, Seconds
from pea.errors import ConfigError, PeaError, did_you_mean
from pea.runtime.contract import Capability

Kind = Literal["slow", "error", "leak", "block"]
KINDS: dict[str, str] = {
    "slow": "slow:travel=800ms  each call takes so much longer",
    "error": "error:travel=20%  this share of the calls fails",
    "leak": "leak:travel=10MiB  each call leaves so much memory behind",
    "block": "block:travel=300ms  each call holds the event loop for so long",
}
MAX_LEAK = 4 << 30  # what all leaks together may take
_WORDS = ("after", "for")


class ChaosFailure(PeaError):
    """The call failed because `--chaos error:…` asked for it."""

    code = "chaos"


class Fault(msgspec.Struct, frozen=True):
    """``amount`` is in seconds, bytes or a share, by ``kind``; it strikes from ``after_s`` on for ``for_s`` seconds."""

    kind: Kind
    agent: str
    amount: float
    after_s: float = 0.0
    for_s: float = math.inf

    def strikes(self, since_start_s: float) -> bool:
        """Whether it is there at this moment."""
        return self.after_s <= since_start_s < self.after_s + self.for_s


def parse_fault(text: str, agents: Iterable[str] | None = None) -> Fault:
    """Read ``KIND:AGENT=AMOUNT[,after=TIME][,for=TIME]``; ConfigError with the nearest valid word.

    ``agents`` are those that there are; without them any name will do.
    """
    first, *rest = (part.strip() for part in text.split(","))
    kind, colon, target = first.partition(":")
    agent, equals, amount = (part.strip() for part in target.partition("="))
    kind = kind.strip()
    if kind not in KINDS:
        raise ConfigError(f"no fault is called {kind!r}", where="--chaos", fix=did_you_mean(kind, KINDS))
    if not (colon and agent and equals and amount):
        raise ConfigError(f"{text!r} is not a fault", where="--chaos", fix=f"write {KINDS[kind].partition(' ')[0]}")
    known = None if agents is None else list(agents)
    if known is not None and agent not in known:
        raise ConfigError(f"no agent is called {agent!r}", where="--chaos", fix=did_you_mean(agent, known))
    times = dict.fromkeys(_WORDS, -1.0)
    for part in rest:
        word, _, value = (piece.strip() for piece in part.partition("="))
        if word not in times:
            raise ConfigError(f"a fault has no {word!r}", where="--chaos", fix=did_you_mean(word, _WORDS))
        times[word] = _read(Seconds.parse, value)
    return Fault(
        kind=cast("Kind", kind),
        agent=agent,
        amount=_amount(kind, amount),
        after_s=max(times["after"], 0.0),
        for_s=math.inf if times["for"] < 0 else times["for"],
    )


class Chaos:
    """The faults of one fleet. ``clock`` counts seconds; ``random`` chooses which calls fail."""

    def __init__(
        self,
        faults: Iterable[Fault],
        *,
        clock: Callable[[], float] = time.monotonic,
        random: Callable[[], float] | None = None,
    ) -> None:
        self.faults = tuple(faults)
        self.leaked = 0
        self._held: list[bytearray] = []
        self._clock = clock
        self._began = clock()
        self._random = Random(0).random if random is None else random  # noqa: S311 - which call fails is no secret

    def infect(self, capability: Capability) -> Capability:
        """The capability with the faults of its agent; the same one when it has none."""
        faults = tuple(fault for fault in self.faults if fault.agent == capability.agent)
        return cast("Capability", _Infected(capability, self, faults)) if faults else capability

    async def strike(self, faults: Iterable[Fault], where: str) -> None:
        """Do to a call what these faults do now."""
        now = self._clock() - self._began
        for fault in faults:
            if not fault.strikes(now):
                continue
            match fault.kind:
                case "slow":
                    await asyncio.sleep(fault.amount)
                case "block":
                    hold_the_loop(fault.amount)
                case "leak":
                    self._leak(int(fault.amount))
                case "error":
                    if self._random() < fault.amount:
                        raise ChaosFailure("failed because --chaos asked for it", where=where)

    def _leak(self, size: int) -> None:
        size = min(size, MAX_LEAK - self.leaked)
        if size > 0:
            self._held.append(bytearray(b"\xa5") * size)  # written to, or the pages would not be there
            self.leaked += size


class _Infected:
    """A capability that is struck before each call: in front of the cache where it has one, else of the method."""

    def __init__(self, healthy: Capability, chaos: Chaos, faults: tuple[Fault, ...]) -> None:
        self._healthy = healthy
        self._chaos = chaos
        self._faults = faults

    def __getattr__(self, name: str) -> Any:
        return getattr(self._healthy, name)

    async def cache_version(self, ctx: Any) -> str:
        """Asked before each cached answer is looked for."""
        await self._chaos.strike(self._faults, self._healthy.name)
        return await self._healthy.cache_version(ctx)

    def invoke(self, ctx: Any, bound: msgspec.Struct) -> Awaitable[Any]:
        """Struck here only when no cache is asked first: one call is struck once."""
        return self._healthy.invoke(ctx, bound) if self._healthy.declared.cache_s is not None else self._run(ctx, bound)

    async def _run(self, ctx: Any, bound: msgspec.Struct) -> Any:
        await self._chaos.strike(self._faults, self._healthy.name)
        return await self._healthy.invoke(ctx, bound)


def hold_the_loop(seconds: float) -> None:
    """Block the thread that calls, as careless code would; its name is what the stack in the alert ends with."""
    time.sleep(seconds)


def _amount(kind: str, text: str) -> float:
    if kind == "leak":
        return float(_read(Bytes.parse, text))
    if kind != "error":
        if text[-1:].isdigit():  # 300 would be five minutes, and is hardly meant so
            raise ConfigError(f"{text!r} has no unit", where="--chaos", fix=f"write {text}ms or {text}s")
        return _read(Seconds.parse, text)
    number = text.removesuffix("%").strip()
    try:
        share = float(number) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise ConfigError(f"{text!r} is not a share", where="--chaos", fix="write 20% or 0.2")
    return share


def _read(parse: Callable[[object], float], text: str) -> float:
    try:
        return parse(text)
    except ValueError as error:
        raise ConfigError(str(error), where="--chaos") from None

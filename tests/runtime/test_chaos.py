"""Faults put in on purpose: what is written is what strikes, when, and whom; everybody else is left alone."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest

from pea import Agent, Context, Runtime, Settings, capability
from pea.errors import ConfigError
from pea.runtime.chaos import Chaos, ChaosFailure, Fault, parse_fault
from pea.runtime.directory import Directory


class Twice(Agent):
    """Doubles numbers, with and without a cache."""

    name = "twice"

    @capability("twice.plain")
    async def plain(self, ctx: Context, number: int) -> int:
        """Double a number."""
        return 2 * number

    @capability("twice.kept", cache="1m")
    async def kept(self, ctx: Context, number: int) -> int:
        """Double a number once."""
        return 2 * number


class Calm(Agent):
    """Has no fault."""

    name = "calm"

    @capability("calm.plain")
    async def plain(self, ctx: Context) -> str:
        """Say so."""
        return "calm"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("slow:travel=800ms", Fault("slow", "travel", 0.8)),
        ("error:travel=20%", Fault("error", "travel", 0.2)),
        ("error:travel=1", Fault("error", "travel", 1.0)),
        ("leak:travel=10MiB", Fault("leak", "travel", 10 << 20)),
        (" block : travel = 300ms , after=2m, for=30s ", Fault("block", "travel", 0.3, 120.0, 30.0)),
    ],
)
def test_a_fault_is_read_as_it_is_written(text: str, fault: Fault) -> None:
    """Kind, agent, amount with its unit, and when."""
    assert parse_fault(text, ["travel"]) == fault


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("slo:travel=1s", "did you mean 'slow'"),
        ("slow:travl=1s", "did you mean 'travel'"),
        ("slow:travel", "write slow:travel=800ms"),
        ("slow:travel=", "write slow:travel=800ms"),
        ("slow:travel=300", "write 300ms or 300s"),
        ("slow:travel=-1s", "a duration such as"),
        ("error:travel=nan", "write 20% or 0.2"),
        ("error:travel=101%", "write 20% or 0.2"),
        ("leak:travel=much", "a size such as"),
        ("slow:travel=1s,fro=2m", "did you mean 'for'"),
        ("slow:travel=1s,for=ever", "a duration such as"),
        ("", "no fault is called ''"),
    ],
)
def test_a_mistake_is_refused_with_what_would_be_right(text: str, said: str) -> None:
    """Nothing is guessed: the nearest word, or an example, is told."""
    with pytest.raises(ConfigError) as caught:
        parse_fault(text, ["travel", "calendar"])
    assert said in str(caught.value)


def test_a_healthy_agents_capability_stays_the_very_same_object() -> None:
    """Whom no fault concerns pays nothing for the faults of others."""
    directory = Directory()
    directory.add(Calm())
    healthy = directory.capabilities["calm.plain"]
    assert Chaos([Fault("slow", "twice", 1.0)]).infect(healthy) is healthy


async def test_a_fault_strikes_once_a_call_and_only_in_its_time() -> None:
    """Before `after` and past `for` nothing happens; in between each call is struck once, cached or not."""
    now = [0.0]
    chaos = Chaos([Fault("error", "twice", 1.0, after_s=10, for_s=5)], clock=lambda: now[0])
    struck: list[str] = []

    async def strike(faults: Any, where: str) -> None:
        struck.append(where)
        await Chaos.strike(chaos, faults, where)

    chaos.strike = strike  # type: ignore[method-assign]
    async with Runtime(Settings(state=""), agents=[Twice(), Calm()]) as runtime:
        runtime.dispatcher.infect = chaos.infect
        assert await runtime.call("twice.plain", number=2) == 4
        assert await runtime.call("twice.kept", number=2) == 4
        now[0] = 12
        for name in ("twice.plain", "twice.kept"):  # the second is in the cache, and its agent fails all the same
            with pytest.raises(ChaosFailure):
                await runtime.call(name, number=2)
        assert await runtime.call("calm.plain") == "calm"
        now[0] = 15
        assert await runtime.call("twice.kept", number=2) == 4
    assert struck == ["twice.plain", "twice.kept", "twice.plain", "twice.kept", "twice.kept"]


async def test_each_kind_does_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slow waits without holding the loop, block holds it, leak keeps written pages up to a bound, error fails."""
    waited: list[float] = []

    async def wait(seconds: float) -> None:
        waited.append(seconds)

    held: list[float] = []
    monkeypatch.setattr(asyncio, "sleep", wait)
    monkeypatch.setattr("pea.runtime.chaos.hold_the_loop", held.append)
    monkeypatch.setattr("pea.runtime.chaos.MAX_LEAK", 2_500)
    chaos = Chaos((), random=iter([0.1, 0.9]).__next__)
    kinds: list[Any] = ["slow", "block", "leak"]
    for _ in range(3):
        await chaos.strike(
            [Fault(kind, "a", amount) for kind, amount in zip(kinds, (0.8, 0.3, 1_000), strict=True)], ""
        )
    assert (waited, held, chaos.leaked) == ([0.8] * 3, [0.3] * 3, 2_500)
    failing = Fault("error", "a", 0.5, for_s=math.inf)
    with pytest.raises(ChaosFailure, match="asked for it"):
        await chaos.strike([failing], "a.b")
    await chaos.strike([failing], "a.b")


async def test_the_setting_puts_faults_in_and_names_unknown_agents() -> None:
    """`runtime.chaos` is all it takes; an agent that is not there is refused."""

    def settings(text: str) -> Settings:
        found = Settings(state="")
        return Settings(state="", runtime=type(found.runtime)(chaos=(text,)))

    async with Runtime(settings("error:twice=100%"), agents=[Twice()]) as runtime:
        with pytest.raises(ChaosFailure):
            await runtime.call("twice.plain", number=1)
    with pytest.raises(ConfigError, match="no agent is called 'once'"):
        await Runtime(settings("error:once=100%"), agents=[Twice()]).start()

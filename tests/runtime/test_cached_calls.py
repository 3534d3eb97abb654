"""Capabilities whose results are kept: by input, by version, by tag; computed once; never kept when incomplete."""

from __future__ import annotations

import asyncio

import pytest

from pea import Agent, Context, capability
from pea.telemetry import names
from tests.runtime.fleet import RunningRuntime


class Prices(Agent):
    """Counts how often it really worked."""

    name = "prices"

    def __init__(self) -> None:
        self.computed = 0
        self.version = "monday"
        self.gate = asyncio.Event()
        self.gate.set()
        self.whole = True

    async def cache_version(self, ctx: Context) -> str:
        return self.version

    @capability("prices.of", cache="15m", tags=["shop:{shop}"])
    async def of(self, ctx: Context, shop: str, item: str = "bread") -> dict[str, int]:
        """A price."""
        self.computed += 1
        await self.gate.wait()
        if not self.whole:
            ctx.incomplete()
        return {f"{shop} {item}": self.computed}

    @capability("prices.change")
    async def change(self, ctx: Context, event: str) -> None:
        """Tell that prices have changed."""
        await ctx.emit(event)

    @capability("prices.noted")
    async def noted(self, ctx: Context, key: str) -> int:
        """Use the agent's own cache."""

        async def compute() -> int:
            self.computed += 1
            return self.computed

        return await ctx.cache.get_or_compute(key, compute)


async def test_same_input_is_worked_out_once(running: RunningRuntime) -> None:
    """The second answer is the first one's; another input has its own."""
    prices = Prices()
    async with running(prices) as runtime:
        first = await runtime.call("prices.of", shop="a")
        assert await runtime.call("prices.of", shop="a", item="bread") == first
        assert await runtime.call("prices.of", shop="b") != first
        assert prices.computed == 2


async def test_another_version_is_worked_out_anew(running: RunningRuntime) -> None:
    """What the agent says its answers depend on is part of the key."""
    prices = Prices()
    async with running(prices) as runtime:
        await runtime.call("prices.of", shop="a")
        prices.version = "tuesday"
        await runtime.call("prices.of", shop="a")
        assert prices.computed == 2


async def test_a_thousand_callers_cause_one_computation(running: RunningRuntime) -> None:
    """However many ask for a cold key at once; a caller that gives up does not end it for the others."""
    prices = Prices()
    async with running(prices) as runtime:
        prices.gate.clear()
        calls = [asyncio.create_task(runtime.call("prices.of", shop="a")) for _ in range(1_000)]
        while not prices.computed:
            await asyncio.sleep(0)
        calls[0].cancel()
        prices.gate.set()
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert isinstance(answers[0], asyncio.CancelledError)
        assert answers[1:] == [{"a bread": 1}] * 999
        assert prices.computed == 1


async def test_a_caller_cannot_change_what_the_next_one_gets(running: RunningRuntime) -> None:
    """Mutable results are the caller's own."""
    async with running(Prices()) as runtime:
        (await runtime.call("prices.of", shop="a")).clear()
        assert await runtime.call("prices.of", shop="a") == {"a bread": 1}


@pytest.mark.parametrize("pattern", ["prices:*", "prices:of:*", "shop:a"])
async def test_events_and_tags_drop_what_depends_on_them(running: RunningRuntime, pattern: str) -> None:
    """By the capability's name, or by a tag that names an argument."""
    prices = Prices()
    async with running(prices) as runtime:
        await runtime.call("prices.of", shop="a")
        await runtime.dispatcher.caches.invalidate(pattern)
        await runtime.call("prices.of", shop="a")
        assert prices.computed == 2


async def test_incomplete_answer_is_given_and_not_kept(running: RunningRuntime) -> None:
    """The next caller gets a better one."""
    prices = Prices()
    prices.whole = False
    async with running(prices) as runtime:
        assert await runtime.call("prices.of", shop="a") == {"a bread": 1}
        prices.whole = True
        assert await runtime.call("prices.of", shop="a") == {"a bread": 2}
        assert await runtime.call("prices.of", shop="a") == {"a bread": 2}


async def test_lookups_are_seen_in_the_trace(running: RunningRuntime) -> None:
    """A miss, then a hit, each under the call that made it; the key itself is nowhere."""
    async with running(Prices()) as runtime:
        found = []
        for _ in range(2):
            task, _ = await runtime.scheduler.run("prices.of", {"shop": "a"})
            await runtime.telemetry.flush()
            spans = runtime.telemetry.recent.get(task.trace_id or "")
            call = next(span for span in spans if span.name == "invoke_agent prices")
            lookups = [span for span in spans if span.name == "cache.lookup prices:of"]
            assert all(span.parent_id == call.span_id for span in lookups)
            found.append([span.attributes[names.PEA_CACHE_TIER] for span in lookups])
        assert found[0][-1] == "none"
        assert found[1] == ["l1"]


async def test_own_cache_of_an_agent(running: RunningRuntime) -> None:
    """`ctx.cache` keeps pieces of work under the agent's name."""
    async with running(Prices()) as runtime:
        assert [await runtime.call("prices.noted", key=key) for key in ("x", "x", "y")] == [1, 1, 2]


def test_tag_that_names_no_argument_is_refused() -> None:
    """A declaration that could not work is told when the agent is taken in."""

    class Wrong(Agent):
        name = "wrong"

        @capability("wrong.do", cache="1m", tags=["shop:{shop}"])
        async def do(self, ctx: Context, item: str) -> None:
            """Has no shop."""

    from pea.errors import PeaError
    from pea.runtime.contract import capabilities

    with pytest.raises(PeaError, match="a tag names what is no argument"):
        capabilities(Wrong())


@pytest.mark.parametrize(
    "options", [{"tags": ["a"]}, {"cache": "1m", "tags": "a"}, {"cache": "1m", "idempotent": False}]
)
def test_contradicting_cache_declaration(options: dict[str, object]) -> None:
    """Tags without a cache, a text for a list, a cache for what must run each time."""
    with pytest.raises(TypeError):
        capability("a.b", **options)  # type: ignore[arg-type]


class Few(Agent):
    """Keeps two answers."""

    name = "few"

    def __init__(self) -> None:
        self.computed: list[int] = []

    @capability("few.square", cache="4h", cache_entries=2)
    async def square(self, ctx: Context, of: int) -> int:
        """A square."""
        self.computed.append(of)
        return of * of


async def test_a_bounded_number_is_kept(running: RunningRuntime) -> None:
    """What was used least recently leaves every tier when there is one too many; a hit counts as a use."""
    few = Few()
    async with running(few) as runtime:
        for number in (1, 2, 1, 3, 1, 2):
            assert await runtime.call("few.square", of=number) == number**2
        assert few.computed == [1, 2, 3, 2]
        (space,) = [one for one in runtime.dispatcher.caches.stats().namespaces if one.name == "few:square"]
        assert sum(space.lookups.values()) == 6
        assert runtime.dispatcher.caches.stats().indexed == 2


def test_the_bound_is_of_a_cache() -> None:
    """A bound without a cache, or of nothing, is a slip."""
    for given in ({"cache_entries": 5}, {"cache": "1h", "cache_entries": 0}):
        with pytest.raises(TypeError, match="cache_entries"):
            capability("few.none", **given)  # type: ignore[call-overload]

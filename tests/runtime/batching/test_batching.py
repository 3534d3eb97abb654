"""Calls that are collected: how many together, whose result is whose, and whose mistake is whose."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from pea import Agent, Context, Runtime, Settings, capability
from pea.config import RuntimeSettings
from pea.errors import DeadlineExceeded, InputError, OutputError, PeaError
from pea.runtime.batch import Batch
from pea.runtime.batching import BatchCounts, Batched
from pea.runtime.directory import Directory
from pea.telemetry import names


class Entry(msgspec.Struct, frozen=True):
    """What one caller gives."""

    amount: int
    text: str = ""


class Ledger(Agent):
    """Posts entries, many at a time."""

    name = "ledger"

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.cancelled = 0

    @capability("ledger.post", batch=Batch(4, 0))
    async def post(self, ctx: Context, entries: list[Entry]) -> list[int]:
        """Numbers doubled; 13 is refused, 666 spoils its batch, 99 cuts it off, 7 makes it short, 8 is no number."""
        amounts = [entry.amount for entry in entries]
        self.batches.append(amounts)
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if 666 in amounts:
            raise ValueError("spoilt")
        if 99 in amounts:
            raise asyncio.CancelledError
        found: list[Any] = [2 * amount for amount in amounts if amount != 7]
        return [PeaError("unlucky") if one == 26 else "sixteen" if one == 16 else one for one in found]

    @capability("ledger.look", batch=Batch(8, 0), idempotent=True, retries=0)
    async def look(self, ctx: Context, entries: list[Entry]) -> list[int]:
        """The same without effect; 666 is refused aloud."""
        self.batches.append([entry.amount for entry in entries])
        if any(entry.amount == 666 for entry in entries):
            raise ValueError("spoilt")
        return [entry.amount for entry in entries]


def running(ledger: Ledger) -> Runtime:
    return Runtime(Settings(runtime=RuntimeSettings()), agents=[ledger])


async def post(runtime: Runtime, *amounts: int, name: str = "ledger.post") -> list[Any]:
    return await asyncio.gather(*(runtime.call(name, amount=one) for one in amounts), return_exceptions=True)


def counts(runtime: Runtime, name: str = "ledger.post") -> BatchCounts:
    found = runtime.directory.capabilities[name]
    assert isinstance(found, Batched)
    return found.counts


async def test_calls_side_by_side_become_batches() -> None:
    """Ten at once, four at most together: each gets its own result, and all but the rest were shared."""
    ledger = Ledger()
    async with running(ledger) as runtime:
        assert await post(runtime, *range(1, 7), 9, 10, 11) == [2, 4, 6, 8, 10, 12, 18, 20, 22]
        assert [len(batch) for batch in ledger.batches] == [4, 4, 1]
        assert (counts(runtime).calls, counts(runtime).batches, counts(runtime).shared) == (9, 3, 8)


async def test_a_call_by_itself_is_a_batch_of_one() -> None:
    """It waits for the window, and no longer."""
    ledger = Ledger()
    async with running(ledger) as runtime:
        assert await runtime.call("ledger.post", amount=3) == 6
        assert counts(runtime).share == 0.0


async def test_wrong_input_is_its_callers_alone() -> None:
    """It is refused before it enters a batch, also a field that there is not."""
    ledger = Ledger()
    async with running(ledger) as runtime:
        with pytest.raises(InputError, match="amount"):
            await runtime.call("ledger.post", amount="x")
        with pytest.raises(InputError, match=r"takes no 'amuont' \(did you mean 'amount'\?\)"):
            await runtime.call("ledger.post", amuont=1)
        assert ledger.batches == []


async def test_an_exception_in_the_list_is_one_callers() -> None:
    """The others have their results."""
    async with running(Ledger()) as runtime:
        one, other = await post(runtime, 13, 2)
        assert isinstance(one, PeaError)
        assert other == 4


async def test_a_result_of_the_wrong_type_is_one_callers() -> None:
    """It is checked for each of them."""
    async with running(Ledger()) as runtime:
        one, other = await post(runtime, 8, 2)
        assert isinstance(one, OutputError)
        assert other == 4


async def test_a_batch_that_fails_fails_for_all_when_it_cannot_be_repeated() -> None:
    """What it did is not known, so it is not tried again."""
    ledger = Ledger()
    async with running(ledger) as runtime:
        assert [type(one) for one in await post(runtime, 666, 2)] == [ValueError, ValueError]
        assert ledger.batches == [[666, 2]]


async def test_a_batch_that_fails_is_halved_when_it_may_be_repeated() -> None:
    """Until who is to blame stands alone."""
    ledger = Ledger()
    async with running(ledger) as runtime:
        found = await post(runtime, 1, 2, 3, 666, 5, 6, 7, 8, name="ledger.look")
        assert [one for one in found if isinstance(one, int)] == [1, 2, 3, 5, 6, 7, 8]
        assert isinstance(found[3], ValueError)


async def test_a_list_of_another_length_is_nobodys_result() -> None:
    """Nobody is given what may be another's."""
    async with running(Ledger()) as runtime:
        assert [type(one) for one in await post(runtime, 7, 2)] == [OutputError, OutputError]


async def test_a_caller_that_leaves_does_not_take_the_others_along() -> None:
    """The batch goes on while somebody waits for it, and is cancelled when nobody does."""
    ledger = Ledger()
    ledger.gate.clear()
    async with running(ledger) as runtime:
        calls = [asyncio.ensure_future(runtime.call("ledger.post", amount=one)) for one in (1, 2)]
        while not ledger.batches:
            await asyncio.sleep(0)
        calls[0].cancel()
        await asyncio.wait([calls[0]])
        assert ledger.cancelled == 0
        ledger.gate.set()
        assert await calls[1] == 4
        ledger.gate.clear()
        calls = [asyncio.ensure_future(runtime.call("ledger.post", amount=one)) for one in (1, 2)]
        while len(ledger.batches) < 2:
            await asyncio.sleep(0)
        for call in calls:
            call.cancel()
        await asyncio.wait(calls)
        while not ledger.cancelled:
            await asyncio.sleep(0)


async def test_each_caller_keeps_its_own_deadline() -> None:
    """One that is in a hurry leaves the batch; the other has its result."""
    ledger = Ledger()
    ledger.gate.clear()
    async with running(ledger) as runtime:
        clock, dispatcher = runtime.dispatcher.clock, runtime.dispatcher
        patient = asyncio.ensure_future(runtime.call("ledger.post", amount=1))
        with pytest.raises(DeadlineExceeded):
            await dispatcher.call("ledger.post", {"amount": 2}, deadline=clock() + 0.02)
        ledger.gate.set()
        assert await patient == 2


async def test_a_batch_is_a_span_linked_to_its_calls() -> None:
    """Whose calls were done together can be seen in the trace; and counted."""
    async with running(Ledger()) as runtime:
        await post(runtime, 1, 2)
        await runtime.telemetry.drain()
        text = runtime.telemetry.exposition()[0].decode()
        assert f'{"pea_batch_calls_total"}{{pea_batch_shared="true",pea_capability="ledger.post"}} 2' in text
        spans = [span for one in runtime.telemetry.recent.list() for span in runtime.telemetry.recent.get(one.trace_id)]
        (batch,) = [span for span in spans if span.name == "batch ledger.post"]
        calls = {span.span_id for span in spans if span.name == "invoke_agent ledger"}
        assert {link.span_id for link in batch.links} == calls
        assert batch.attributes[names.PEA_BATCH_SIZE] == 2


def test_declarations_that_cannot_be_are_refused() -> None:
    """A batch of one, and a method that does not take a list of structs."""
    with pytest.raises(ValueError, match="2 to"):
        Batch(1)

    class Wrong(Agent):
        name = "wrong"

        @capability("wrong.post", batch=Batch())
        async def post(self, ctx: Context, amounts: list[int]) -> list[int]:
            """Not structs."""
            return amounts

    with pytest.raises(PeaError, match="one list of structs"):
        Directory().add(Wrong())


async def test_a_batch_that_is_cut_off_from_within_leaves_nobody_waiting() -> None:
    """What the method waited for was cancelled, and no caller was: each is told."""
    async with running(Ledger()) as runtime:
        answers = await asyncio.gather(
            *(runtime.call("ledger.post", amount=one) for one in (1, 99)), return_exceptions=True
        )
        assert [str(one) for one in answers] == ["ledger.post: something that it waited for was cancelled"] * 2

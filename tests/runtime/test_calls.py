"""Calls between agents: checked, bounded in time, retried, traced."""

from __future__ import annotations

import asyncio

import pytest

from pea import Agent, Context, capability
from pea.errors import (
    AgentUnavailable,
    DeadlineExceeded,
    InputError,
    OutputError,
    PeaError,
    UnknownCapability,
)
from pea.runtime import AgentState
from pea.telemetry import SpanView, names
from tests.runtime.fleet import Broken, Rate, Rates, RunningRuntime


async def traced(runtime, capability: str, **arguments) -> list[SpanView]:
    """The spans of a task that calls the capability, parents first."""
    task, _ = await runtime.scheduler.run(capability, arguments)
    await runtime.telemetry.flush()
    return runtime.telemetry.recent.get(task.trace_id)


async def test_call_returns_the_checked_result(running: RunningRuntime) -> None:
    """A capability calls another, and its struct comes back as it is."""
    async with running() as runtime:
        assert await runtime.call("rates.convert", base="EUR", amount=100) == Rate("EUR", "CHF", 95.0)


@pytest.mark.parametrize(
    ("arguments", "where", "says"),
    [
        ({"base": 1}, "base", "Expected `str`, got `int`"),
        ({}, "base", "is required"),
        ({"base": "EUR", "amont": 2}, "amont", "did you mean 'amount'?"),
        ({"base": "EUR", "amount": "2"}, "amount", "Expected `float`, got `str`"),
    ],
)
async def test_wrong_input_names_the_field(
    running: RunningRuntime, arguments: dict[str, object], where: str, says: str
) -> None:
    """What does not fit is refused at the boundary, with the field and the nearest valid word."""
    async with running() as runtime:
        with pytest.raises(InputError) as refused:
            await runtime.call("rates.convert", **arguments)
        assert refused.value.where == where
        assert says in str(refused.value)


async def test_unknown_capability_names_the_nearest(running: RunningRuntime) -> None:
    """A slip of the pen is answered with the word that was meant."""
    async with running() as runtime:
        with pytest.raises(UnknownCapability, match=r"did you mean 'rates\.convert'\?"):
            await runtime.call("rates.convrt", base="EUR")


async def test_result_that_does_not_fit_is_the_agents_fault(running: RunningRuntime) -> None:
    """An undeclared result never reaches the caller."""
    async with running() as runtime:
        with pytest.raises(OutputError, match="Expected `int`, got `str`"):
            await runtime.call("rates.lies")


async def test_retries_until_it_succeeds(running: RunningRuntime, rates: Rates) -> None:
    """Two failures and two retries are a success; each attempt is a span that links those before it."""
    async with running() as runtime:
        rates.failures = 2
        spans = await traced(runtime, "rates.table", base="EUR")
        attempts = [span for span in spans if span.name == "invoke_agent rates"]
        assert [span.attributes[names.PEA_ATTEMPT] for span in attempts] == [1, 2, 3]
        assert [span.status for span in attempts] == ["error", "error", "unset"]
        assert [span.attributes.get(names.ERROR_TYPE) for span in attempts] == ["ConnectionError"] * 2 + [None]
        assert [link.span_id for link in attempts[2].links] == [attempts[0].span_id, attempts[1].span_id]


async def test_gives_up_with_the_last_error(running: RunningRuntime, rates: Rates) -> None:
    """A third failure is the caller's."""
    async with running() as runtime:
        rates.failures = 5
        with pytest.raises(ConnectionError, match="hung up"):
            await runtime.call("rates.table", base="EUR")
        assert rates.calls == 3


async def test_refusals_are_not_retried(running: RunningRuntime, rates: Rates) -> None:
    """Wrong input stays wrong."""
    async with running() as runtime:
        with pytest.raises(InputError):
            await runtime.call("rates.table", base=1)
        spans = await traced(runtime, "rates.table", base="EUR")
        assert rates.calls == 1
        assert [span.name for span in spans] == ["task rates.table", "queue.wait", "invoke_agent rates"]


async def test_timeout_cancels_the_work_and_says_how_long(running: RunningRuntime, rates: Rates) -> None:
    """A call that is over its time is cancelled and reported, not abandoned."""
    async with running(timeout=0.02) as runtime:
        with pytest.raises(DeadlineExceeded, match=r"rates.wait: did not end within its timeout of 0.02 s"):
            await runtime.call("rates.wait")
        assert rates.cancelled == 1


async def test_inherited_deadline_is_never_extended(running: RunningRuntime, rates: Rates) -> None:
    """A callee's own timeout of five seconds does not outlast its caller's twenty milliseconds."""
    async with running() as runtime:
        task, _ = await runtime.scheduler.run("rates.wait", {}, deadline_s=0.02)
        assert task.state == "timed_out"
        assert "the deadline it inherited" in task.error.message  # type: ignore[union-attr]
        assert rates.cancelled == 1


async def test_gather_reports_each_part(running: RunningRuntime) -> None:
    """Parts that fail, are late or do not exist leave the others alone."""
    async with running() as runtime:
        assert await runtime.call("rates.both", limit="20ms") == {
            "good": "ok",
            "bad": "InputError",
            "late": "DeadlineExceeded",
            "unknown": "UnknownCapability",
        }


async def test_cancelling_a_gather_cancels_its_parts(running: RunningRuntime, rates: Rates) -> None:
    """Nothing goes on working for a caller that has left."""
    async with running() as runtime:
        call = asyncio.create_task(runtime.call("rates.both"))
        while not rates.calls:
            await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert rates.cancelled == 1


async def test_compute_runs_in_the_same_trace(running: RunningRuntime) -> None:
    """Work off the loop is a span under the call that asked for it."""
    async with running() as runtime:
        spans = await traced(runtime, "rates.compute", numbers=[1, 2, 3])
        call = next(span for span in spans if span.name == "invoke_agent rates")
        job = next(span for span in spans if span.name == "worker builtins.sum")
        assert job.parent_id == call.span_id


async def test_agent_that_fails_to_start_leaves_the_others_running(running: RunningRuntime) -> None:
    """It is known by name, state and reason, and calls to it say so."""
    async with running(Broken()) as runtime:
        assert runtime.directory.record("broken").state is AgentState.FAILED
        assert (await runtime.health("broken")).problem == "RuntimeError: its disk is gone"
        assert (await runtime.health("rates")).problem is None
        with pytest.raises(AgentUnavailable, match="its disk is gone"):
            await runtime.call("broken.anything")
        assert (await runtime.call("rates.convert", base="EUR")).value == 0.95


async def test_agents_start_side_by_side(running: RunningRuntime) -> None:
    """Two agents whose starts wait for each other both start."""
    met = asyncio.Barrier(2)

    class Left(Agent):
        name = "left"

        async def start(self, ctx: Context) -> None:
            await met.wait()

    class Right(Left):
        name = "right"

    async with running(Left(), Right()) as runtime:
        assert runtime.directory.records.count(state=AgentState.READY) == 3


async def test_indexes_of_the_directory(running: RunningRuntime) -> None:
    """Agents are found by state, type and capability without a scan."""
    async with running(Broken()) as runtime:
        records = runtime.directory.records
        assert [record.name for record in records.where(capability="rates.convert")] == ["rates"]
        assert [record.name for record in records.where(state=AgentState.FAILED)] == ["broken"]
        assert [record.name for record in records.where(type=f"{Broken.__module__}:Broken")] == ["broken"]


async def test_two_agents_with_one_capability(running: RunningRuntime) -> None:
    """The second is refused by name, the first goes on."""

    class Copy(Agent):
        name = "copy"

        @capability("rates.table")
        async def table(self, ctx: Context) -> None:
            """Taken already."""

    async with running(Copy()) as runtime:
        assert "is offered by agent 'rates' already" in (runtime.directory.record("copy").reason or "")
        assert await runtime.call("rates.table", base="EUR")


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("agenda", {}, "is named like"),
        ("a.b", {"retries": 1, "idempotent": False}, "only an idempotent"),
        ("a.b", {"timeout": "soon"}, "a duration such as"),
    ],
)
def test_contradicting_declaration(name: str, options: dict[str, object], says: str) -> None:
    """A mistake in a declaration is told when the module is imported."""
    with pytest.raises((TypeError, ValueError), match=says):
        capability(name, **options)  # type: ignore[arg-type]


async def test_untyped_argument_is_refused(running: RunningRuntime) -> None:
    """An argument without a type cannot be checked, so its agent is not taken in."""

    class Untyped(Agent):
        name = "untyped"

        @capability("untyped.do")
        async def do(self, ctx: Context, thing) -> None:  # type: ignore[no-untyped-def]
            """Has no type."""

    async with running(Untyped()) as runtime:
        assert "argument 'thing' has no type" in (runtime.directory.record("untyped").reason or "")


def test_runtime_that_was_not_started() -> None:
    """Using it says what to do."""
    from pea import Runtime, Settings

    with pytest.raises(PeaError, match="async with"):
        _ = Runtime(Settings(), agents=[]).scheduler

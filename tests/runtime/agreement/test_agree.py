"""Agreement in a running fleet: replicas that lie, crash and hang, and what their callers see."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pea import Agent, Context, Runtime, Settings, capability
from pea.config import RuntimeSettings
from pea.config.agreement import AgreementSettings
from pea.config.policies import BreakerPolicy, Policy
from pea.errors import Conflict, Disagreement, InputError
from pea.runtime.agreement import Agreement, Vote
from pea.runtime.policy import BreakerState
from pea.runtime.task import Priority, TaskState


class Judge(Agent):
    """Adds two numbers, or does what its fault is."""

    name = "judge"

    def __init__(self, fault: str = "") -> None:
        self.fault = fault
        self.asked = 0
        self.cancelled = 0

    @capability("judge.add", idempotent=True, cache="1m")
    async def add(self, ctx: Context, one: int, other: int) -> int:
        """Add."""
        self.asked += 1
        match self.fault:
            case "lies":
                return one + other + 1
            case "crashes":
                raise ConnectionError("gone")
            case "hangs":
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    self.cancelled += 1
                    raise
            case "clings":
                while True:
                    try:
                        await asyncio.Event().wait()
                    except asyncio.CancelledError:
                        self.cancelled += 1
                        if self.cancelled > 1:
                            raise
        return one + other

    @capability("judge.post")
    async def post(self, ctx: Context) -> int:
        """What must not be done four times."""
        return 1


class Asker(Agent):
    """Puts questions to the vote, or calls and leaves that to the runtime."""

    name = "asker"

    @capability("asker.agree")
    async def agree(self, ctx: Context, faults: int | None = None, limit: str = "2s") -> int:
        """The sum, as agreed."""
        return int((await ctx.within(limit).agree("judge.add", {"one": 1, "other": 2}, faults=faults)).require())

    @capability("asker.call", idempotent=True)
    async def call(self, ctx: Context) -> int:
        """The sum by a plain call."""
        return int(await ctx.call("judge.add", one=1, other=2))

    @capability("asker.many")
    async def many(self, ctx: Context) -> int:
        """Touches three agents, the judges last."""
        await ctx.call("witness.see")
        return int(await ctx.call("judge.add", one=1, other=2))


class Witness(Agent):
    """Another agent."""

    name = "witness"

    @capability("witness.see", idempotent=True)
    async def see(self, ctx: Context) -> float:
        """A measurement."""
        return 3.25


def fleet(*faults: str, **changes: Any) -> Runtime:
    judges = [Judge(fault) for fault in faults]
    settings = RuntimeSettings(replicas={"judge": len(judges)}, retry_base=0.0, **changes)  # type: ignore[arg-type]
    return Runtime(Settings(runtime=settings), agents=[*judges, Asker(), Witness()])


async def votes(runtime: Runtime, **options: Any) -> Agreement[int]:
    clock = runtime.dispatcher.clock
    return await runtime.dispatcher.panels.agree("judge.add", {"one": 1, "other": 2}, clock() + 2.0, None, **options)


@pytest.mark.parametrize("fault", ["lies", "crashes", "hangs", "clings"])
async def test_one_of_four_changes_nothing(fault: str) -> None:
    """One liar, one that crashes, one that hangs, one that does not even let go: the other three decide."""
    async with fleet("", "", fault, "") as runtime:
        agreement = await votes(runtime)
        assert (agreement.decided, agreement.value, agreement.quorum) == (True, 3, 3)
        wanted = {"lies": Vote.DISSENTED, "crashes": Vote.FAILED}.get(fault, Vote.UNHEARD)
        assert agreement.ballots[2].vote in (wanted, Vote.UNHEARD)


async def test_two_liars_of_four_are_told() -> None:
    """Beyond what four can bear it is said who said what; nothing is guessed."""
    async with fleet("", "lies", "", "lies") as runtime:
        agreement = await votes(runtime)
        assert not agreement.decided
        assert agreement.value is None
        assert sorted(side.value for side in agreement.sides) == [3, 4]
        with pytest.raises(Disagreement, match=r"2 of 4 voters agree, 3 are needed; judge\.add \(replica [12]\) and"):
            agreement.require()


async def test_two_of_seven_change_nothing() -> None:
    """A liar and one that hangs, of seven."""
    async with fleet("lies", "hangs", "", "", "", "", "") as runtime:
        agreement = await votes(runtime)
        assert (agreement.value, agreement.faults, agreement.quorum) == (3, 2, 5)


async def test_each_replica_answers_for_itself() -> None:
    """The cache that replicas share would let the first of them speak for all; a vote does not ask it."""
    async with fleet("", "", "", "") as runtime:
        await votes(runtime)
        await votes(runtime)
        asked = [agent.asked for agent in runtime.directory.agents("judge") if isinstance(agent, Judge)]
        assert asked == [2, 2, 2, 2]


async def test_a_replica_out_of_service_is_a_silent_voter() -> None:
    """It counts among the voters: with it out of service, a quorum is still three, not two of three."""
    async with fleet("", "", "", "lies") as runtime:
        runtime.directory.down("judge", 1, "its disk is gone")
        runtime.dispatcher.forget_routes()
        agreement = await votes(runtime)
        assert not agreement.decided
        assert "judge.add (replica 1): judge.add (replica 1): its disk is gone" in agreement.told


async def test_three_are_too_few_to_bear_a_liar() -> None:
    """Unless the caller says that it is enough when most agree."""
    async with fleet("", "", "lies") as runtime:
        with pytest.raises(Conflict, match="3 voters cannot bear one liar"):
            await votes(runtime)
        assert (await votes(runtime, faults=0)).value == 3
        with pytest.raises(Conflict, match="3 voters cannot bear 1 liars"):
            await votes(runtime, faults=1)


async def test_only_what_is_idempotent_is_put_to_the_vote() -> None:
    """A payment would be made four times."""
    async with fleet("", "", "", "") as runtime:
        with pytest.raises(Conflict, match="idempotent"):
            await runtime.dispatcher.panels.agree("judge.post", {}, runtime.dispatcher.clock() + 1, None)


async def test_independent_agents_agree_on_numbers() -> None:
    """Several capabilities are asked; their numbers may differ a little, and the median is the answer."""
    async with fleet("") as runtime:
        clock, panels = runtime.dispatcher.clock, runtime.dispatcher.panels
        with pytest.raises(Conflict, match="nobody votes twice"):
            await panels.agree(["witness.see"] * 4, {}, clock() + 1, None)
        agreement = await panels.agree(["witness.see", "asker.call"], {}, clock() + 1, None, faults=0)
        assert not agreement.decided
        assert {side.value for side in agreement.sides} == {3.25, 3}


async def test_a_context_asks_and_the_deadline_is_inherited() -> None:
    """`Context.agree`: too many hang, and before the caller's own deadline it is said that they did."""
    async with fleet("", "", "hangs", "hangs") as runtime:
        with pytest.raises(Disagreement, match="did not end within"):
            await runtime.call("asker.agree", limit="50ms")
    async with fleet("", "", "", "") as runtime:
        assert await runtime.call("asker.agree") == 3


async def test_critical_tasks_vote_without_being_asked_to() -> None:
    """A critical task's call of a capability with four replicas is put to the vote; a normal one's is not."""
    async with fleet("", "", "", "") as runtime:
        task, value = await runtime.scheduler.run("asker.call", {})
        assert value == 3
        assert runtime.dispatcher.panels.records.standings() == []
        task, value = await runtime.scheduler.run("asker.call", {}, priority=Priority.CRITICAL)
        assert task.state is TaskState.SUCCEEDED
        assert value == 3
        assert runtime.dispatcher.panels.records.standings()[0].rounds == 1


async def test_a_critical_task_whose_replicas_disagree_fails_with_their_words() -> None:
    """It says so rather than guess."""
    async with fleet("", "lies", "lies", "") as runtime:
        task, _ = await runtime.scheduler.run("judge.add", {"one": 1, "other": 2}, priority=Priority.CRITICAL)
        assert task.error is not None
        assert task.error.code == "disagreement"
        assert "voters agree" in task.error.message


async def test_tasks_of_more_than_two_agents_vote() -> None:
    """The third agent's call is put to the vote; a later task of this kind knows from its first call on."""
    async with fleet("", "", "", "lies") as runtime:
        for rounds in (1, 2):
            _task, value = await runtime.scheduler.run("asker.many", {})
            assert value == 3
            assert runtime.dispatcher.panels.records.standings()[0].rounds == rounds


async def test_what_differs_by_nature_is_left_out() -> None:
    """`runtime.agreement.never`, and switching it off."""
    for own in (AgreementSettings(never=("judge",)), AgreementSettings(critical=False, agents=9)):
        async with fleet("", "lies", "lies", "lies", agreement=own) as runtime:
            task, _ = await runtime.scheduler.run("judge.add", {"one": 1, "other": 2}, priority=Priority.CRITICAL)
            assert task.state is TaskState.SUCCEEDED
            assert runtime.dispatcher.panels.records.standings() == []


async def test_wrong_input_is_an_error_and_no_vote() -> None:
    """The voters' records do not suffer from their callers' mistakes."""
    async with fleet("", "", "", "") as runtime:
        _task, _ = await runtime.scheduler.run("asker.call", {}, priority=Priority.CRITICAL)
        with pytest.raises(InputError):
            await runtime.dispatcher.panels.agree("judge.add", {"one": "x"}, runtime.dispatcher.clock() + 1, None)
        assert runtime.dispatcher.panels.records.standings()[0].rounds == 1


async def test_voters_have_a_record() -> None:
    """How often each said what was decided; rounds without a decision blame nobody."""
    async with fleet("lies", "", "", "") as runtime:
        for _ in range(3):
            await votes(runtime)
        records = runtime.dispatcher.panels.records
        found = records.of("judge")
        assert found[1].agreement_rate == 0.0
        assert {found[number].agreement_rate for number in (2, 3, 4)} == {1.0}
        (standing,) = records.standings()
        assert (standing.rounds, standing.decided, standing.success) == (3, 3, 1.0)
        assert standing.efficiency is not None
        assert 0.75 <= standing.efficiency <= 1.0


async def test_a_liar_is_left_by_plain_calls_too() -> None:
    """Dissent counts as failure: after a few rounds the liar's breaker is open, those of the others are not."""
    policy = {"judge": Policy(breaker=BreakerPolicy(min_calls=4))}
    async with fleet("lies", "", "", "", policies=policy) as runtime:
        for _ in range(8):
            await votes(runtime)
        states = {view.replica: view.state for view in runtime.dispatcher.breakers("judge")}
        assert states == {1: BreakerState.OPEN, **dict.fromkeys((2, 3, 4), BreakerState.CLOSED)}

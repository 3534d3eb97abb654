"""Replicas and supervision: one name, several lives; what fails comes back or is given up for all to see."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pea import Agent, Context, Runtime, Settings, capability
from pea.config import RuntimeSettings, Seconds
from pea.errors import AgentUnavailable, ConfigError
from pea.runtime import AgentState
from pea.runtime.supervisor import Restarts
from pea.telemetry import names


class Frail(Agent):
    """Fails to start as often as a test asks."""

    name = "frail"

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.starts = 0
        self.stops = 0
        self.well = True

    async def start(self, ctx: Context) -> None:
        self.starts += 1
        if self.failures:
            self.failures -= 1
            raise RuntimeError("its disk is gone")

    async def stop(self) -> None:
        self.stops += 1

    async def health(self) -> str | None:
        if not self.well:
            raise RuntimeError("hung")
        return None

    @capability("frail.who", idempotent=True)
    async def who(self, ctx: Context) -> int:
        """Which instance answers, by its identity."""
        return id(self)


Make = Callable[..., Runtime]


@pytest.fixture
def make(settings: Settings) -> Make:
    """A runtime whose restarts wait for nothing."""

    def build(*agents: Agent, **changes: object) -> Runtime:
        quick = {"restart_base": Seconds(0.0), "health_interval": Seconds(0.0), **changes}
        runtime = msgspec.structs.replace(settings.runtime, **quick)  # type: ignore[arg-type]
        return Runtime(msgspec.structs.replace(settings, runtime=runtime), agents=agents)

    return build


async def until(runtime: Runtime, state: AgentState) -> None:
    """Wait until the agent is in this state."""
    async with asyncio.timeout(10):
        while runtime.directory.record("frail").state is not state:
            await asyncio.sleep(0)


def test_restarts_are_counted_in_a_window_with_growing_pauses() -> None:
    """Three within the window, then none until the first of them is old enough."""
    settings = RuntimeSettings(restarts=3, restart_window=Seconds(100), restart_base=Seconds(1), restart_cap=Seconds(3))
    restarts = Restarts(settings)
    for number, most in enumerate((1.0, 2.0, 3.0)):
        pause_s = restarts.next_pause_s(10.0 * number)
        assert pause_s is not None
        assert 0 <= pause_s <= most
    assert restarts.next_pause_s(30.0) is None
    assert restarts.next_pause_s(100.0) is not None


async def test_what_fails_to_start_is_started_again(make: Make) -> None:
    """Two failures, then it serves; between attempts it is stopped."""
    frail = Frail(failures=2)
    async with make(frail) as runtime:
        assert runtime.directory.record("frail").state is AgentState.FAILED
        await until(runtime, AgentState.READY)
        assert (frail.starts, frail.stops) == (3, 2)
        assert await runtime.call("frail.who") == id(frail)
        assert runtime.supervisor is not None
        assert runtime.supervisor.restarts("frail") == 2


async def test_what_fails_again_and_again_is_given_up_for_all_to_see(make: Make) -> None:
    """A state, a reason, a metric, and an event in a span; callers are told at once."""
    frail = Frail(failures=1_000)
    async with make(frail, restarts=3) as runtime:
        await until(runtime, AgentState.ABANDONED)
        assert frail.starts == 4
        with pytest.raises(AgentUnavailable, match="given up after 3 restarts: RuntimeError: its disk is gone"):
            await runtime.call("frail.who")
        body, _ = runtime.telemetry.exposition()
        assert b'pea_agent_state{gen_ai_agent_name="frail",pea_agent_state="abandoned"} 1' in body
        await runtime.telemetry.flush()
        events = [
            event.name
            for trace in runtime.telemetry.recent.list()
            for span in runtime.telemetry.recent.get(trace.trace_id)
            for event in span.events
        ]
        assert names.EVENT_AGENT_ABANDONED in events


async def test_one_that_does_not_answer_is_started_anew(make: Make) -> None:
    """Three health checks in a row without an answer; two are not enough."""
    frail = Frail()
    async with make(frail) as runtime:
        assert runtime.supervisor is not None
        frail.well = False
        await runtime.supervisor.check()
        await runtime.supervisor.check()
        assert runtime.directory.record("frail").state is AgentState.READY
        await runtime.supervisor.check()
        assert runtime.directory.record("frail").state is AgentState.FAILED
        await until(runtime, AgentState.READY)
        assert (frail.starts, frail.stops) == (2, 1)


async def test_replicas_share_the_calls(make: Make) -> None:
    """Three instances behind one name, each of them is called."""
    async with make(Frail(), replicas={"frail": 3}) as runtime:
        record = runtime.directory.record("frail")
        assert (record.replicas, record.ready) == (3, 3)
        answers = [await runtime.call("frail.who") for _ in range(60)]
        assert len(set(answers)) == 3
        (loads,) = runtime.dispatcher.loads().values()
        assert sum(load.calls for load in loads) == 60


async def test_an_agent_serves_while_one_of_its_replicas_does(make: Make) -> None:
    """Two of three are out: the third answers, and the record says how many are left."""
    well, ill, worse = Frail(), Frail(failures=1_000), Frail(failures=1_000)
    async with make(ill, well, worse, replicas={"frail": 3}, restarts=0) as runtime:
        record = runtime.directory.record("frail")
        assert (record.state, record.ready) == (AgentState.READY, 1)
        assert {await runtime.call("frail.who") for _ in range(20)} == {id(well)}
        assert [state for state, _ in runtime.directory.states("frail")] == ["failed", "ready", "failed"]


async def test_replicas_of_nobody_are_refused(make: Make) -> None:
    """A name that no agent has is a mistake in the configuration, told with the nearest."""
    with pytest.raises(ConfigError, match=r"runtime\.replicas: no agent is called 'frial' \(did you mean 'frail'\?\)"):
        await make(Frail(), replicas={"frial": 2}).start()


async def test_a_replica_of_another_type_is_refused(make: Make) -> None:
    """One name means one kind of agent."""

    class Other(Agent):
        name = "frail"

    async with make(Frail(), Other(), replicas={"frail": 2}) as runtime:
        assert runtime.directory.record("frail").replicas == 1


class Cut(Frail):
    """Waits for what somebody else cancels."""

    name = "cut"

    async def start(self, ctx: Context) -> None:
        self.starts += 1
        if self.starts == 1:
            raise asyncio.CancelledError

    async def health(self) -> str | None:
        if not self.well:
            raise asyncio.CancelledError
        return None

    @capability("cut.call", idempotent=True, retries=0)
    async def call(self, ctx: Context) -> None:
        """Is cut off."""
        raise asyncio.CancelledError

    @capability("cut.who", idempotent=True)
    async def who(self, ctx: Context) -> int:
        """Answers."""
        return self.starts


async def test_a_cancellation_that_nobody_sent_is_the_agents_own_failure(make: Make) -> None:
    """At the start, in a health check and in a call it is one agent's failure, and nobody else's end."""
    cut, frail = Cut(), Frail()
    async with make(cut, frail) as runtime:
        assert runtime.supervisor is not None
        assert runtime.directory.reason("cut", 1) == "something that it waited for was cancelled"
        async with asyncio.timeout(10):
            while runtime.directory.record("cut").state is not AgentState.READY:
                await asyncio.sleep(0)
        task, _ = await runtime.scheduler.run("cut.call", {})
        assert (task.state, task.error and task.error.message) == (
            "failed",
            "something that it waited for was cancelled",
        )
        cut.well = False
        for _ in range(3):
            await runtime.supervisor.check()
        assert cut.starts == 2
        assert runtime.directory.record("cut").state is AgentState.FAILED
        assert (await runtime.health("frail")).problem is None


async def test_what_failed_is_stopped_at_the_end_as_well(make: Make) -> None:
    """An agent that does not answer, or that never came up, may hold a program or a connection all the same."""
    mute, broken = Frail(), Frail(failures=1_000)
    async with make(mute, broken, replicas={"frail": 2}, restarts=0) as runtime:
        assert runtime.supervisor is not None
        mute.well = False
        for _ in range(3):
            await runtime.supervisor.check()
        assert runtime.directory.record("frail").state is AgentState.FAILED
    assert (mute.stops, broken.stops) == (1, 1)


class Life:
    """What a replica's life should be: counted anew beside the supervisor's, whatever happens to it."""

    most = 3  # restarts within the window, which is longer than the test
    patience = 3  # health checks

    def __init__(self, broken: bool) -> None:
        self.state = AgentState.READY
        self.starts, self.stops, self.restarts, self.missed = 0, 0, 0, 0
        self._start(broken)
        self.settle(broken)

    def _start(self, broken: bool) -> None:
        self.starts += 1
        self.state = AgentState.FAILED if broken else AgentState.READY

    def settle(self, broken: bool) -> None:
        """What failed is stopped and started again until it serves or is given up."""
        while self.state is AgentState.FAILED:
            if self.restarts == self.most:
                self.state = AgentState.ABANDONED
                return
            self.restarts += 1
            self.stops += 1
            self._start(broken)

    def check(self, well: bool, broken: bool) -> None:
        """A health check."""
        if self.state is not AgentState.READY:
            return
        self.missed = 0 if well else self.missed + 1
        if self.missed == self.patience:
            self.missed, self.state = 0, AgentState.FAILED
            self.settle(broken)


@given(
    broken=st.booleans(),
    script=st.lists(st.sampled_from(["check", "check", "check", "mute", "well", "break", "mend"]), max_size=30),
)
@example(broken=False, script=["mute", *["check"] * 9, "break", *["check"] * 3, "mend", "well", "check"])
@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_life_is_the_models(make: Make, broken: bool, script: list[str]) -> None:
    """States, starts, stops and restarts in any order of failures; what was given up stays so, and is stopped too."""

    async def live() -> None:
        frail = Frail(failures=1_000 if broken else 0)
        async with make(frail, restarts=Life.most, health_failures=Life.patience) as runtime:
            supervisor = runtime.supervisor
            assert supervisor is not None
            life = Life(broken)
            for step in ["", *script]:
                if step in ("mute", "well"):
                    frail.well = step == "well"
                if step in ("break", "mend"):
                    frail.failures = 1_000 if step == "break" else 0
                if step == "check":
                    await supervisor.check()
                    life.check(frail.well, bool(frail.failures))
                async with asyncio.timeout(10):
                    while supervisor._reviving:
                        await asyncio.sleep(0)
                record = runtime.directory.record("frail")
                assert (record.state, frail.starts, frail.stops) == (life.state, life.starts, life.stops)
                assert supervisor.restarts("frail") == life.restarts
                assert (record.ready, record.reason is None) == (int(record.state is AgentState.READY), record.ready)
        assert frail.stops == life.stops + 1

    asyncio.run(live())

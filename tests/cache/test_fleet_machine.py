"""Two processes over one Redis: whatever is asked and invalidated in any order, no acknowledged truth is lost."""

import asyncio
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from pea.cache import Caches
from pea.config import CacheSettings, L1Settings, L2Settings, L3Settings, L4Settings, Settings
from pea.telemetry import Telemetry
from tests.cache.conftest import Clock
from tests.cache.redis_server import RedisServer

pytestmark = [pytest.mark.service, pytest.mark.usefixtures("redis_server")]

KEYS = st.sampled_from(["a:1", "a:2", "b:1"])
WHO = st.sampled_from([0, 1])
PATIENCE_S = 20.0


class Fleet(RuleBasedStateMachine):
    """Each key's truth is a number that grows. A read is at least what was true at the last acknowledged drop."""

    server: RedisServer

    @initialize()
    def begin(self):
        self.runner = asyncio.Runner()
        self.clock = Clock()
        self.folder = Path(tempfile.mkdtemp())
        self.truth, self.acknowledged = {}, {}
        self.telemetry = Telemetry(Settings(), {})
        self.processes = [self.process(number) for number in range(2)]
        self.begun = []

    def process(self, number):
        own = CacheSettings(
            l1=L1Settings(entries=2),
            l2=L2Settings(entries=2),
            l3=L3Settings(url=self.server.url, prefix=self.folder.name, budget=PATIENCE_S),
            l4=L4Settings(directory=str(self.folder / str(number)), budget=PATIENCE_S),
        )
        return Caches(Settings(cache=own), self.telemetry.tracer, clock=self.clock)

    async def ask(self, who, key):
        space, _, own = key.partition(":")

        async def compute():
            seen = self.truth.get(key, 0)
            await asyncio.sleep(0)
            return [seen]

        namespace = self.processes[who].namespace(space, ttl_s=30.0, stale_s=30.0, beta=0)
        return (await namespace.get_or_compute(own, compute, tags=[f"tag:{own}"]))[0]

    @rule(who=WHO, key=KEYS)
    def read(self, who, key):
        least = self.acknowledged.get(key, 0)
        got = self.runner.run(self.ask(who, key))
        assert least <= got <= self.truth.get(key, 0)

    @rule(key=KEYS)
    def read_in_both_at_once(self, key):
        async def both():
            return await asyncio.gather(self.ask(0, key), self.ask(1, key))

        least = self.acknowledged.get(key, 0)
        assert all(got >= least for got in self.runner.run(both()))

    @rule(who=WHO, key=KEYS, how=st.sampled_from(["key", "group", "tag"]))
    def change(self, who, key, how):
        self.truth[key] = self.truth.get(key, 0) + 1
        pattern = {"key": key, "group": key[:1] + ":*", "tag": f"tag:{key[2:]}"}[how]
        self.clock.turn(0.001)
        done = self.runner.run(self.processes[who].invalidate(pattern))
        if done.acknowledged:
            self.acknowledged[key] = self.truth[key]

    @rule(who=WHO, key=KEYS, by=WHO)
    def change_while_it_is_computed(self, who, key, by):
        async def overlap():
            asking = asyncio.create_task(self.ask(who, key))
            for _ in range(3):
                await asyncio.sleep(0)
            self.truth[key] = self.truth.get(key, 0) + 1
            done = await self.processes[by].invalidate(key)
            await asking
            return done.acknowledged

        least = self.truth.get(key, 0) + 1
        self.clock.turn(0.001)
        if self.runner.run(overlap()):
            self.acknowledged[key] = least

    @rule(who=WHO)
    def settle(self, who):
        self.runner.run(self.processes[who].stack.settle())

    @rule(who=WHO)
    def restart(self, who):
        self.runner.run(self.processes[who].aclose())
        self.processes[who] = self.process(who)

    @rule(seconds=st.sampled_from([1.0, 29.0, 61.0]))
    def wait(self, seconds):
        self.clock.turn(seconds)

    def teardown(self):
        if hasattr(self, "runner"):
            for caches in self.processes:
                self.runner.run(caches.aclose())
            self.runner.run(self.telemetry.aclose())
            self.runner.close()
            shutil.rmtree(self.folder)


def test_no_acknowledged_truth_is_lost(redis_server):
    """Over L1 to L4 of two processes, with restarts, evictions and computations that overlap invalidations."""
    from hypothesis.stateful import run_state_machine_as_test

    Fleet.server = redis_server
    run_state_machine_as_test(
        Fleet,
        settings=settings(
            max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )

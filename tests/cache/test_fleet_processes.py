"""Two operating-system processes over one real Redis: one computation in the fleet, no acknowledged truth lost."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from redis import Redis

pytestmark = pytest.mark.service

KEYS = st.sampled_from(["a:1", "a:2", "b:1"])
WHO = st.sampled_from([0, 1])
SCRIPT = Path(__file__).with_name("fleet_process.py")


class Process:
    """The near end of a `fleet_process`."""

    def __init__(self, url, folder):
        self.popen = subprocess.Popen(
            [sys.executable, str(SCRIPT), url, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            cwd=SCRIPT.parents[2],
            env={"PYTHONPATH": str(SCRIPT.parents[2]), "PATH": "/usr/bin:/bin"},
        )

    def tell(self, *command):
        self.popen.stdin.write(json.dumps(command) + "\n")

    def hear(self):
        line = self.popen.stdout.readline()
        assert line, "the process has ended"
        return json.loads(line)

    def ask(self, *command):
        self.tell(*command)
        return self.hear()

    def end(self):
        self.popen.stdin.close()
        self.popen.wait(30)
        self.popen.stdout.close()


@pytest.fixture
def fleet(redis_server, tmp_path):
    """Two processes on one Redis, and a plain client to it."""
    processes = [Process(redis_server.url, tmp_path / str(number)) for number in range(2)]
    plain = Redis.from_url(redis_server.url, decode_responses=True)
    yield processes, plain
    plain.close()
    for process in processes:
        process.end()


def test_a_thousand_tasks_in_two_processes_compute_once(fleet):
    """500 tasks in each of two processes ask for one cold key while it is computed: one computation, one value."""
    processes, plain = fleet
    plain.set("truth:rates:EUR", 7)
    for process in processes:
        process.ask("reset", "cold")
        process.tell("many", "rates:EUR", 500)
    assert [process.hear() for process in processes] == [None, None]  # one computes, the other has found that it does
    for process in processes:
        process.tell("finish")
    assert [process.hear() for process in processes] == [[7] * 500] * 2
    assert plain.get("computed:rates:EUR") == "1"


class Truth(RuleBasedStateMachine):
    """Each key's truth is a number that grows. A read is at least what was true at the last acknowledged drop."""

    processes: list
    plain: Redis
    runs = 0

    @initialize()
    def begin(self):
        type(self).runs += 1
        self.plain.flushall()
        self.truth, self.acknowledged, self.held = {}, {}, {}
        self.reset(0)
        self.reset(1)

    def reset(self, who):
        self.processes[who].ask("reset", f"run{self.runs}")

    @rule(who=WHO, key=KEYS)
    def read(self, who, key):
        if who not in self.held and key not in self.held.values():  # one that is held back has the lease
            got = self.processes[who].ask("get", key)
            assert self.acknowledged.get(key, 0) <= got <= self.truth.get(key, 0)

    @rule(who=WHO, key=KEYS, how=st.sampled_from(["key", "group", "tag"]))
    def change(self, who, key, how):
        self.truth[key] = self.truth.get(key, 0) + 1
        self.plain.set(f"truth:{key}", self.truth[key])
        pattern = {"key": key, "group": key[:1] + ":*", "tag": f"tag:{key[2:]}"}[how]
        if self.processes[who].ask("drop", pattern):
            self.acknowledged[key] = self.truth[key]

    @rule(who=WHO, key=KEYS)
    def compute_slowly(self, who, key):
        if who not in self.held and key not in self.held.values() and self.processes[who].ask("begin", key):
            self.held[who] = key

    @rule(who=WHO)
    def finish(self, who):
        if key := self.held.pop(who, None):
            assert self.processes[who].ask("finish") <= self.truth.get(key, 0)

    @rule(who=WHO)
    def restart(self, who):
        if who not in self.held:
            self.reset(who)

    def teardown(self):
        for who in list(getattr(self, "held", ())):
            self.finish(who)


def test_no_stale_read_after_an_acknowledged_drop(fleet):
    """Whatever two real processes read, compute slowly, invalidate and restart, in any order, over L1 to L4."""
    Truth.processes, Truth.plain = fleet
    run_state_machine_as_test(
        Truth,
        settings=settings(
            max_examples=15, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
    assert Truth.runs >= 15

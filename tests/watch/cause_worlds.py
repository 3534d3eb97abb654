"""Made-up systems with faults of known place: a fleet of agents in one process, and a mesh of services.

All is drawn from a seed: who calls whom, how long things take (log-normal, with slow outliers), and which request is
made. A fault changes one thing only.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from pea.telemetry import names as n
from pea.telemetry.record import ERROR, Origin, SpanRecord

MS = 1_000_000
CLIENT, SERVER = 3, 2
PEA = Origin("pea", {"service.name": "pea"}, "pea")


@dataclass
class Fault:
    """What is wrong: ``kind`` of trouble at ``where``, ``much`` times or with this probability, in one batch only."""

    kind: str = ""
    where: tuple[str, ...] = ()
    much: float = 1.0
    only: str = ""


@dataclass
class Trace:
    """Spans in the making; times in ns."""

    trace_id: int
    dice: random.Random
    spans: list[SpanRecord] = field(default_factory=list)

    def open(self, name: str, start: int, parent: SpanRecord | None, origin: Origin, **more) -> SpanRecord:
        span = SpanRecord(
            trace_id=self.trace_id,
            span_id=self.dice.getrandbits(63) | 1,
            parent_id=parent.span_id if parent else 0,
            name=name,
            start_ns=start,
            end_ns=start,
            origin=origin,
            entry=parent is None,
            **more,
        )
        self.spans.append(span)
        return span


def spread(dice: random.Random, median_ms: float) -> int:
    """A time in ns: log-normal, one in fifty times ten."""
    return int(median_ms * MS * math.exp(dice.gauss(0, 0.35)) * (10 if dice.random() < 0.02 else 1))


class Fleet:
    """Agents of one process: tasks call capabilities, which look into caches, take steps, use workers and others."""

    def __init__(self, seed: int, agents: int = 6) -> None:
        dice = random.Random(seed)
        self.agents = [f"agent{at}" for at in range(agents)]
        self.plans: dict[str, list[tuple[str, str, float]]] = {}
        for at, agent in enumerate(self.agents):
            for verb in range(dice.randint(1, 2)):
                plan = [("cache", f"results{at}", 0.6)]
                plan += [("step", f"step{at}.{k}", dice.uniform(2, 15)) for k in range(dice.randint(1, 3))]
                if dice.random() < 0.5:
                    plan.append(("worker", f"work.{at}", dice.uniform(5, 20)))
                if dice.random() < 0.5:
                    plan.append(("connector", f"host{at}", dice.uniform(5, 20)))
                below = self.agents[at + 1 :]
                plan += [("call", other, 0) for other in dice.sample(below, min(len(below), dice.randint(0, 2)))]
                self.plans[f"{agent}.verb{verb}"] = plan
        self.capabilities = sorted(self.plans)

    def places(self) -> Iterator[tuple[str, str, str]]:
        """Agent, sort and name of everything that can become slow, for agents that are called from tasks anyway."""
        for capability, plan in self.plans.items():
            for sort, name, _ in plan:
                if sort in {"step", "worker", "connector"}:
                    yield capability.partition(".")[0], sort, name

    def window(self, seed: int, count: int, fault: Fault) -> list[list[SpanRecord]]:
        """The traces of so many tasks."""
        dice = random.Random(seed)
        return [self._task(dice, number, fault) for number in range(count)]

    def _task(self, dice: random.Random, number: int, fault: Fault) -> list[SpanRecord]:
        trace = Trace(dice.getrandbits(100) | 1, dice)
        start = 10**18 + number * 50 * MS
        capability = dice.choice(self.capabilities)
        task = trace.open(f"task {capability}", start, None, PEA, attributes={n.PEA_CAPABILITY: capability})
        began = start + spread(dice, 0.3)
        task.leaves = [(n.SPAN_QUEUE_WAIT, start, began, {})]
        task.end_ns, failed = self._invoke(trace, capability, began, task, fault)
        task.end_ns += spread(dice, 0.1)
        if failed:
            task.status, task.attributes = ERROR, {**task.attributes, n.ERROR_TYPE: failed}
        return trace.spans

    def _invoke(self, trace: Trace, capability: str, at: int, above: SpanRecord, fault: Fault) -> tuple[int, str]:
        dice, agent = trace.dice, capability.partition(".")[0]
        about = {n.GEN_AI_AGENT_NAME: agent, n.PEA_CAPABILITY: capability, n.PEA_ATTEMPT: 1}
        span = trace.open(f"invoke_agent {agent}", at, above, PEA, attributes=about)
        at += spread(dice, 0.2)
        failed, hit = "", False
        for sort, name, median in self.plans[capability]:
            much = fault.much if fault.kind == "slow" and fault.where == (agent, sort, name) else 1.0
            if sort == "cache":
                share = median * (1 - fault.much) if fault.kind == "cold" and fault.where == (agent,) else median
                hit = dice.random() < share
                slow = fault.kind == "tier" and fault.where == (agent,)
                took = spread(dice, 0.6 * (fault.much if slow else 1))
                tier = {n.PEA_CACHE_TIER: "l3" if hit else "none", n.PEA_CACHE_HIT: hit, n.PEA_CACHE_NAME: name}
                span.leaves = [*span.leaves, (f"cache.lookup {name}", at, at + took, tier)]
                at += took
            elif sort == "call":
                at, failed = self._invoke(trace, self._capability_of(name), at, span, fault)
                if failed:
                    break
            elif not hit:
                words = {"step": f"step {name}", "worker": f"worker {name}", "connector": f"connector {name}"}
                kind = CLIENT if sort == "connector" else 1
                batch = str(dice.randint(0, 3))
                if fault.kind == "slow" and fault.only and batch != fault.only:
                    much = 1.0
                part = trace.open(words[sort], at, span, PEA, kind=kind, attributes={"batch": batch})
                at = part.end_ns = at + spread(dice, median * much)
                at += spread(dice, 0.05)
                if fault.kind == "fails" and fault.where == (agent, sort, name) and dice.random() < fault.much:
                    failed = "Broken"
                    part.status, part.attributes = ERROR, {**part.attributes, n.ERROR_TYPE: failed}
                    break
        span.end_ns = at + spread(dice, 0.1)
        if failed:
            span.status, span.attributes = ERROR, {**span.attributes, n.ERROR_TYPE: failed}
        return span.end_ns, failed

    def _capability_of(self, agent: str) -> str:
        return f"{agent}.verb0"


class Mesh:
    """Services over a network: server spans, code spans, client spans to other services and to databases."""

    def __init__(self, seed: int, services: int = 20) -> None:
        dice = random.Random(seed)
        self.services = [f"service{at}" for at in range(services)]
        self.origins = {name: Origin(name, {"service.name": name}, "mesh") for name in self.services}
        self.calls = {
            name: dice.sample(self.services[at + 1 :], min(services - at - 1, dice.randint(1, 3)))
            for at, name in enumerate(self.services)
        }
        self.database = {name: dice.random() < 0.6 for name in self.services}
        self.entries = self.services[:4]

    def window(self, seed: int, count: int, fault: Fault) -> list[list[SpanRecord]]:
        """The traces of so many requests."""
        dice = random.Random(seed)
        traces = []
        for number in range(count):
            trace = Trace(dice.getrandbits(100) | 1, dice)
            self._serve(trace, dice.choice(self.entries), 10**18 + number * 50 * MS, None, fault, 0)
            traces.append(trace.spans)
        return traces

    def _serve(
        self, trace: Trace, name: str, at: int, above: SpanRecord | None, fault: Fault, depth: int
    ) -> tuple[int, bool]:
        dice, origin = trace.dice, self.origins[name]
        mine = fault.where == (name,)
        cpu = fault.much if mine and fault.kind == "cpu" else 1.0
        wire = fault.much if mine and fault.kind == "network" else 0.0
        server = trace.open(f"/api/{name}", at, above, origin, kind=SERVER)
        code = trace.open(f"{name}.handle", at + spread(dice, 0.2 * cpu), server, origin)
        at = code.start_ns + spread(dice, 1.0 * cpu)
        ok = True
        if self.database[name]:
            query = trace.open(f"SELECT {name}", at, code, origin, kind=CLIENT)
            at = query.end_ns = at + spread(dice, 1.5) + int(wire * MS)
        broken = mine and fault.kind in {"return", "exception"} and dice.random() < fault.much
        reached = self.calls[name] if depth < 4 else []
        for other in reached[: len(reached) // 2] if broken else reached:
            late = wire + (fault.much if fault.kind == "network" and fault.where == (other,) else 0.0)
            client = trace.open("HTTP GET", at, code, origin, kind=CLIENT)
            answered, ok = self._serve(
                trace, other, at + spread(dice, 0.3 * cpu) + int(late * MS), client, fault, depth + 1
            )
            at = client.end_ns = answered + spread(dice, 0.3 * cpu)
            if not ok:
                break  # a caller gives up when a call fails
        code.end_ns = at + spread(dice, 0.3 * cpu)
        server.end_ns = code.end_ns + spread(dice, 0.1 * cpu)
        return server.end_ns, ok and not (broken and fault.kind == "exception")

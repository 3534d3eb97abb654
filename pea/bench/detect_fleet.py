"""A fleet under load that never was: tasks, agents, caches, workers and outside systems as spans, seeded and exact."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from random import Random

import msgspec

from pea.telemetry import names
from pea.telemetry.record import ERROR, Origin, SpanRecord
from pea.watch.rehearse import EPOCH_S

AGENTS = (
    *("calendar", "communication", "documents", "travel", "finance", "crisis", "security", "culture"),
    *("research", "legal", "wellness", "stakeholders", "strategy", "performance"),
)
TIERS = ("l1", "l2", "l3", "l4")
TIER_SHARE = (0.6, 0.2, 0.15, 0.05)
TIER_S = (2e-6, 5e-6, 1e-3, 5e-3)
PEA = Origin("pea", scope="pea")


class Effect(msgspec.Struct, frozen=True):
    """What happens to one piece of work: further seconds, or a failure of this type."""

    more_s: float = 0.0
    error: str = ""


NO_EFFECT = Effect()
#: Called with the second, the agent, and what is done (invoke, cache:TIER, worker, connector).
Touch = Callable[[float, str, str], Effect]


class Traffic(msgspec.Struct, frozen=True):
    """``rate`` gives tasks per second at a second; each task asks ``fan`` agents of the first ``agents``."""

    rate: Callable[[float], float]
    until_s: float
    seed: int
    agents: int = len(AGENTS)
    fan: int = 2
    spread: float = 0.5  # of the logarithm of times
    usual_s: float = 0.15


def traces(traffic: Traffic, touch: Touch) -> Iterator[tuple[float, list[SpanRecord]]]:
    """Traces by the second in which they end, in about the order of their ends."""
    random = Random(traffic.seed)
    number, at_s = 0, 0.0
    while at_s < traffic.until_s:
        at_s += random.expovariate(max(traffic.rate(at_s), 1e-6))
        number += 1
        made = _Trace(number + (traffic.seed << 32), at_s, random, traffic, touch).spans
        yield made[-1].end_ns / 1e9 - EPOCH_S, made


class _Trace:
    """One task: its agents side by side, and in each a cache lookup, a call outside or a worker's job."""

    def __init__(self, trace_id: int, at_s: float, random: Random, traffic: Traffic, touch: Touch) -> None:
        self.spans: list[SpanRecord] = []
        self._trace_id = trace_id
        self._random = random
        self._traffic = traffic
        self._touch = touch
        self._ids = 1
        chosen = random.sample(AGENTS[: traffic.agents], min(traffic.fan, traffic.agents))
        ends = [self._agent(agent, at_s) for agent in chosen]
        first = chosen[0]
        failed = next((error for _, error in ends if error), "")
        about = {names.PEA_CAPABILITY: f"{first}.work"}
        self._add(1, 0, f"task {first}.work", at_s, max(end for end, _ in ends) + 0.002, about, failed)

    def _agent(self, agent: str, at_s: float) -> tuple[float, str]:
        self._ids += 1
        own, now_s = self._ids, at_s + 0.001
        tier = self._random.choices(range(4), TIER_SHARE)[0]
        now_s, error = self._work(own, agent, now_s, f"cache:{TIERS[tier]}", TIER_S[tier])
        if tier == 3:
            now_s, error = self._work(own, agent, now_s, "connector", self._usual(0.4))
        elif tier == 2:
            now_s, error = self._work(own, agent, now_s, "worker", self._usual(0.3))
        effect = self._touch(at_s, agent, "invoke")
        now_s += self._usual(0.5) + effect.more_s
        error = error or effect.error
        about = {names.GEN_AI_AGENT_NAME: agent, names.PEA_CAPABILITY: f"{agent}.work"}
        self._add(own, 1, f"invoke_agent {agent}", at_s, now_s, about, error)
        return now_s, error

    def _work(self, parent: int, agent: str, at_s: float, what: str, usual_s: float) -> tuple[float, str]:
        effect = self._touch(at_s, agent, what)
        self._ids += 1
        end_s = at_s + usual_s + effect.more_s
        kind, _, tier = what.partition(":")
        if kind == "cache":
            about = {names.PEA_CACHE_NAME: "places", names.PEA_CACHE_TIER: tier, names.PEA_CACHE_HIT: tier != "l4"}
            self._add(self._ids, parent, "cache.lookup places", at_s, end_s, about, effect.error)
        elif kind == "connector":
            about = {names.PEA_CONNECTOR_NAME: f"{agent}-api"}
            self._add(self._ids, parent, f"connector {agent}-api", at_s, end_s, about, effect.error)
        else:
            about = {names.PEA_WORKER_FUNCTION: f"{agent}.heavy"}
            self._add(self._ids, parent, f"worker {agent}.heavy", at_s, end_s, about, effect.error)
        return end_s, effect.error

    def _usual(self, part: float) -> float:
        return part * self._traffic.usual_s * self._random.lognormvariate(0.0, self._traffic.spread)

    def _add(
        self, own: int, parent: int, name: str, start_s: float, end_s: float, about: Mapping[str, object], error: str
    ) -> None:
        self.spans.append(
            SpanRecord(
                trace_id=self._trace_id,
                span_id=own,
                parent_id=parent,
                name=name,
                start_ns=round((EPOCH_S + start_s) * 1e9),
                end_ns=round((EPOCH_S + end_s) * 1e9),
                status=ERROR if error else 0,
                attributes={**about, names.ERROR_TYPE: error} if error else about,
                origin=PEA,
                entry=not parent,
            )
        )

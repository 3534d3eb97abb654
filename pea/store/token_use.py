"""Tokens per agent and model: a model call's tokens belong to the nearest agent above it, which ends after it.

Children end before their parents, so tokens wait at their parent's id and climb as parents arrive, until one of them
names an agent. What waits is bounded; what never finds an agent is counted under none.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence

import msgspec

from pea.store.genai import TOKEN_KEYS, call_of
from pea.telemetry.record import SpanRecord

MAX_WAITING = 20_000
MAX_KEYS = 2_000
OVERFLOW = "(other)"

Place = tuple[int, int]  # trace id, span id


class TokenUse(msgspec.Struct):
    """Tokens in and out, and the number of model calls."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


class TokenCounter:
    """A record consumer that counts by (service, agent, model); ``gen_ai.aggregated_usage.*`` is never looked at."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: OrderedDict[Place, list[tuple[str, str, int, int]]] = OrderedDict()
        self._used: dict[tuple[str, str, str], TokenUse] = {}

    def take(self, records: Sequence[SpanRecord]) -> None:
        """Count the spans that say something, and let tokens climb through the others."""
        with self._lock:
            for record in records:
                if not self._waiting and TOKEN_KEYS.isdisjoint(record.attributes):
                    continue  # most spans of most programs
                call = call_of(record)
                risen = self._waiting.pop((record.trace_id, record.span_id), None) or []
                if call is not None and (call.input_tokens or call.output_tokens):
                    risen.append((record.origin.service, call.model, call.input_tokens, call.output_tokens))
                if not risen:
                    continue
                if call is not None and call.agent:
                    self._settle(call.agent, risen)
                elif record.parent_id:
                    self._wait((record.trace_id, record.parent_id), risen)
                else:
                    self._settle("", risen)

    def use(self) -> Mapping[tuple[str, str, str], TokenUse]:
        """Tokens by service, agent ('' where none is named) and model."""
        with self._lock:
            return {key: msgspec.structs.replace(value) for key, value in self._used.items()}

    def series(self) -> dict[str, float]:
        """The same as figures by name, for the series store."""
        values: dict[str, float] = {}
        for (service, agent, model), use in self.use().items():
            labels = f"agent={agent},model={model},service={service}"
            values[f"gen_ai.client.token.usage{{{labels},type=input}}"] = use.input_tokens
            values[f"gen_ai.client.token.usage{{{labels},type=output}}"] = use.output_tokens
        return values

    def _wait(self, place: Place, risen: list[tuple[str, str, int, int]]) -> None:
        self._waiting.setdefault(place, []).extend(risen)
        if len(self._waiting) > MAX_WAITING:
            _, given_up = self._waiting.popitem(last=False)
            self._settle("", given_up)

    def _settle(self, agent: str, risen: list[tuple[str, str, int, int]]) -> None:
        for service, model, in_tokens, out_tokens in risen:
            key = (service, agent, model)
            if key not in self._used and len(self._used) >= MAX_KEYS:
                key = (OVERFLOW, OVERFLOW, OVERFLOW)
            use = self._used.setdefault(key, TokenUse())
            use.calls += 1
            use.input_tokens += in_tokens
            use.output_tokens += out_tokens

"""Tokens per agent and model: a model call's tokens belong to the nearest agent above it, which ends after it.

Children end before their parents, so tokens wait at their parent's id and climb as parents arrive, until one of them
names an agent. What waits is bounded; what never finds an agent is counted under none.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec

from pea.store.genai import TOKEN_KEYS, call_of
from pea.telemetry.record import SpanRecord

MAX_WAITING = 20_000  # sums of tokens whose agent's span has not ended; of more, the oldest are nobody's
MAX_KEYS = 2_000
OVERFLOW = "(other)"

Place = tuple[int, int]  # trace id, span id


class TokenUse(msgspec.Struct):
    """Tokens in and out, and the number of model calls."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


Risen = dict[tuple[str, str], TokenUse]  # by service and model
K = TypeVar("K")


class TokenCounter:
    """A record consumer that counts by (service, agent, model); ``gen_ai.aggregated_usage.*`` is never looked at."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: OrderedDict[Place, Risen] = OrderedDict()
        self._held = 0  # sums that wait
        self._used: dict[tuple[str, str, str], TokenUse] = {}

    def take(self, records: Sequence[SpanRecord]) -> None:
        """Count the spans that say something, and let tokens climb through the others."""
        with self._lock:
            for record in records:
                risen = self._waiting.pop((record.trace_id, record.span_id), {}) if self._waiting else {}
                self._held -= len(risen)
                if not risen and TOKEN_KEYS.isdisjoint(record.attributes):
                    continue  # most spans of most programs
                call = call_of(record)
                if call is not None and (call.input_tokens or call.output_tokens):
                    own = TokenUse(1, call.input_tokens, call.output_tokens)
                    _add(risen, (record.origin.service, call.model), own)
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

    def _wait(self, place: Place, risen: Risen) -> None:
        waiting = self._waiting.setdefault(place, {})
        before = len(waiting)
        for key, use in risen.items():
            _add(waiting, key, use)
        self._held += len(waiting) - before
        while self._held > MAX_WAITING:
            _, given_up = self._waiting.popitem(last=False)
            self._held -= len(given_up)
            self._settle("", given_up)

    def _settle(self, agent: str, risen: Risen) -> None:
        for (service, model), use in risen.items():
            key = (service, agent, model)
            if key not in self._used and len(self._used) >= MAX_KEYS:
                key = (OVERFLOW, OVERFLOW, OVERFLOW)
            _add(self._used, key, use)


def _add(to: dict[K, TokenUse], key: K, more: TokenUse) -> None:
    use = to.setdefault(key, TokenUse())
    use.calls += more.calls
    use.input_tokens += more.input_tokens
    use.output_tokens += more.output_tokens

"""Other programs' agents as metrics: what the GenAI conventions name, folded from the spans that come in."""

from __future__ import annotations

from pea.store.genai import call_of
from pea.store.genai_metrics import count_call
from pea.telemetry import names
from pea.telemetry.metrics import MetricStore
from tests.store.conftest import span


def _count(store: MetricStore, name: str, **attributes: object) -> None:
    record = span(1, 2, name=name, attributes=attributes)
    call = call_of(record)
    assert call is not None
    count_call(store, record, call)


def test_a_model_call_counts_once_by_duration_and_its_tokens_by_type() -> None:
    """A chat is one duration with its model; input and output tokens are two series, each with an exemplar."""
    store = MetricStore(100)
    said = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}
    _count(store, "chat m", **said, **{"gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 7})
    (duration,) = store.of(names.METRIC_GEN_AI_CLIENT_OPERATION_DURATION)
    assert duration.labels[names.GEN_AI_REQUEST_MODEL] == "m"
    assert duration.point().count == 1
    used = {s.labels[names.GEN_AI_TOKEN_TYPE]: s.point() for s in store.of(names.METRIC_GEN_AI_CLIENT_TOKEN_USAGE)}
    assert {kind: point.total for kind, point in used.items()} == {"input": 100.0, "output": 7.0}
    assert used["input"].buckets[used["input"].bounds.index(256.0)] == 1
    assert any(used["input"].exemplars)


def test_an_agent_has_no_tokens_of_its_own() -> None:
    """An agent's usage is the sum of its model calls': counted once, there."""
    store = MetricStore(100)
    _count(
        store,
        "a",
        **{"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "a", "gen_ai.usage.input_tokens": 9},
    )
    assert store.of(names.METRIC_GEN_AI_CLIENT_TOKEN_USAGE) == []
    (duration,) = store.of(names.METRIC_GEN_AI_CLIENT_OPERATION_DURATION)
    assert names.GEN_AI_TOOL_NAME not in duration.labels
    assert names.ERROR_TYPE not in duration.labels


def test_series_stay_bounded() -> None:
    """A program that names a model anew with each call ends in the overflow series, and loses no call."""
    store = MetricStore(10)
    for number in range(50):
        _count(store, "chat", **{"gen_ai.operation.name": "chat", "gen_ai.request.model": f"m{number}"})
    series = store.of(names.METRIC_GEN_AI_CLIENT_OPERATION_DURATION)
    assert len(series) == 10
    assert sum(one.point().count for one in series) == 50

"""The mapping of agent frameworks' spans: whatever names they use, the same things are said."""

from __future__ import annotations

from typing import Any

import pytest

from pea.store import token_use
from pea.store.genai import Call, call_of, normalised
from pea.store.token_use import TokenCounter
from pea.telemetry.record import ERROR
from tests.store.conftest import span


@pytest.mark.parametrize(
    ("name", "attributes", "call"),
    [
        # GenAI conventions, current
        (
            "invoke_agent planner",
            {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "planner", "gen_ai.usage.input_tokens": 9},
            Call("invoke_agent", "planner"),
        ),
        (
            "chat gpt",
            {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt", "gen_ai.provider.name": "x",
             "gen_ai.usage.input_tokens": 7, "gen_ai.usage.output_tokens": 3},
            Call("chat", model="gpt", input_tokens=7, output_tokens=3),
        ),
        (
            "execute_tool look",
            {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "look"},
            Call("execute_tool", tool="look"),
        ),
        # … and older: the system, prompt and completion tokens, names in the title only
        (
            "chat m",
            {"gen_ai.system": "x", "gen_ai.request.model": "m",
             "gen_ai.usage.prompt_tokens": 7, "gen_ai.usage.completion_tokens": 3},
            Call("chat", model="m", input_tokens=7, output_tokens=3),
        ),
        ("invoke_agent solo", {"gen_ai.operation.name": "invoke_agent"}, Call("invoke_agent", "solo")),
        ("agent run", {"agent_name": "old", "model_name": "m"}, Call("step", "old", model="m")),
        ("running tool", {"gen_ai.tool.name": "look"}, Call("execute_tool", tool="look")),
        # OpenInference
        ("Planner", {"openinference.span.kind": "AGENT"}, Call("invoke_agent", "Planner")),
        (
            "ChatOpenAI",
            {"openinference.span.kind": "LLM", "llm.model_name": "m",
             "llm.token_count.prompt": 7, "llm.token_count.completion": 3},
            Call("chat", model="m", input_tokens=7, output_tokens=3),
        ),
        ("search", {"openinference.span.kind": "TOOL", "tool.name": "search"}, Call("execute_tool", tool="search")),
        ("find", {"openinference.span.kind": "RETRIEVER"}, Call("retrieval")),
        # OpenLLMetry
        ("plan.agent", {"traceloop.span.kind": "agent", "traceloop.entity.name": "plan"}, Call("invoke_agent", "plan")),
        ("x", {"llm.request.type": "chat", "gen_ai.usage.prompt_tokens": 4}, Call("chat", input_tokens=4)),
        # LangSmith's exporter of a LangGraph
        ("LangGraph", {"gen_ai.operation.name": "chain", "langsmith.span.kind": "chain"}, Call("chain")),
        ("ChatModel", {"gen_ai.operation.name": "chain", "langsmith.span.kind": "llm"}, Call("chat")),
        (
            "agent",
            {"langsmith.span.kind": "chain", "langsmith.metadata.lc_agent_name": "helper"},
            Call("chain", "helper"),
        ),
        # AutoGen's runtime
        ("autogen process coder.(default)-A", {"messaging.operation": "process"}, Call("invoke_agent", "coder")),
        ("autogen send coder.(default)-A", {}, Call("send", "coder")),
        ("autogen publish news.(default)-T", {}, Call("publish")),
        # nobody's
        ("GET /", {"http.route": "/"}, None),
        ("x", {"gen_ai.agent.name": 5, "llm.token_count.prompt": "many"}, None),
    ],
)  # fmt: skip
def test_frameworks_in_one_vocabulary(name: str, attributes: dict[str, Any], call: Call | None):
    """Each convention's span maps to the same fields."""
    assert call_of(span(1, 1, name=name, attributes=attributes)) == call


def test_an_error_has_a_type():
    """The error is what the span says, else its exception, else the conventions' word for unknown."""
    agent = {"gen_ai.agent.name": "a"}
    failed = {"status": 2, "attributes": agent}
    assert call_of(span(1, 1, attributes=agent | {"error.type": "timeout"})).error == "timeout"
    assert (
        call_of(span(1, 1, **failed, events=[("exception", 0, {"exception.type": "KeyError"}, 0)])).error == "KeyError"
    )
    assert call_of(span(1, 1, **failed)).error == "_OTHER"
    assert call_of(span(1, 1, attributes=agent)).error == ""


def test_normalising_adds_and_never_replaces():
    """A span keeps what it said; present names are put beside older ones."""
    record = span(1, 1, name="Planner", attributes={"openinference.span.kind": "AGENT"})
    said = normalised(record, call_of(record)).attributes
    assert said == {
        "openinference.span.kind": "AGENT",
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "Planner",
    }


def test_tokens_climb_to_the_nearest_agent_and_are_counted_once():
    """Model calls end first; agents, chains and aggregated usage above them add nothing."""
    tokens = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 1}
    total = {"gen_ai.aggregated_usage.input_tokens": 20, "gen_ai.usage.input_tokens": 20}
    counter = TokenCounter()
    counter.take([span(1, 4, 3, attributes=tokens), span(1, 5, 3, attributes=tokens)])
    counter.take([span(1, 3, 2, name="chain")])
    counter.take(
        [span(1, 2, 1, attributes={"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "inner"} | total)]
    )
    counter.take([span(1, 6, 1, attributes=tokens)])
    counter.take(
        [span(1, 1, attributes={"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "outer"} | total)]
    )
    counter.take([span(2, 1, attributes=tokens)])
    used = {agent: (use.calls, use.input_tokens, use.output_tokens) for (_, agent, _), use in counter.use().items()}
    assert used == {"inner": (2, 20, 2), "outer": (1, 10, 1), "": (1, 10, 1)}
    assert not counter._waiting


@pytest.mark.parametrize("models", [1, 500])
def test_tokens_whose_agent_never_ends_are_bounded_and_counted(monkeypatch: pytest.MonkeyPatch, models: int):
    """However many calls wait at one span or at many, under however many names: beyond the bound they are nobody's."""
    monkeypatch.setattr(token_use, "MAX_WAITING", 20)
    counter = TokenCounter()
    for number in range(1_000):
        about = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 10}
        about["gen_ai.request.model"] = f"m{number % models}"
        counter.take([span(1, 10 + number, 5 if number % 2 else 6, attributes=about)])
        assert sum(map(len, counter._waiting.values())) <= 20
    counter.take([span(1, 5, attributes={"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "late"})])
    counter.take([span(1, 6)])
    assert not counter._waiting
    used = [(agent, use.calls, use.input_tokens) for (_, agent, _), use in counter.use().items()]
    assert sum(calls for _, calls, _ in used) == 1_000
    assert sum(tokens for *_, tokens in used) == 10_000
    assert any(agent == "late" for agent, *_ in used)


# What autogen-core 0.7.5 recorded of: boss asks coder; coder asked for something bad; a message on topic news.
AUTOGEN = [
    ("autogen process coder.(default)-A", "process", "coder.(default)-A", 0),
    ("autogen send coder.(default)-A", "publish", "coder.(default)-A", 0),
    ("autogen ack boss.(default)-A", "receive", "boss.(default)-A", 0),
    ("autogen create coder.(default)-A", "create", "coder.(default)-A", 0),
    ("autogen process boss.(default)-A", "process", "boss.(default)-A", 0),
    ("autogen send boss.(default)-A", "publish", "boss.(default)-A", 0),
    ("autogen ack", "receive", "", 0),
    ("autogen create boss.(default)-A", "create", "boss.(default)-A", 0),
    ("autogen process coder.(default)-A", "process", "coder.(default)-A", ERROR),
    ("autogen send coder.(default)-A", "publish", "coder.(default)-A", 0),
    ("autogen create coder.(default)-A", "create", "coder.(default)-A", ERROR),
    ("autogen create news.(default)-T", "create", "news.(default)-T", 0),
    ("autogen process coder.(default)-A", "process", "coder.(default)-A", 0),
    ("autogen publish news.(default)-T", "publish", "news.(default)-T", 0),
]


def test_what_autogen_recorded():
    """Each message that an agent works on is one call of it, failed or not; its other spans are steps, or nobody's."""
    made = [
        call_of(
            span(1, 1, name=name, status=status, attributes={"messaging.operation": verb, "messaging.destination": to})
        )
        for name, verb, to, status in AUTOGEN
    ]
    calls = [(call.agent, call.error) for call in made if call is not None and call.operation == "invoke_agent"]
    assert sorted(calls) == [("boss", ""), ("coder", ""), ("coder", ""), ("coder", "_OTHER")]
    others = {call.operation for call in made if call is not None} - {"invoke_agent"}
    assert others == {"send", "ack", "create", "publish"}
    assert {call.agent for call in made if call is not None} == {"boss", "coder", ""}

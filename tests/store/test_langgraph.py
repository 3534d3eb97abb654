"""Spans of a LangGraph: whose work they are, whatever bridge tells of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pea.store.genai import Call, call_of
from pea.store.langgraph import MAX_BYTES, MAX_RUNS, Place, Runs, place_of
from tests.store.conftest import span

INNER = "planner:60e59294-7765|agent:83f0c478-02d1"
NODE = "planner:60e59294-7765"


def openinference(kind: str, place: str = "", **about: Any) -> dict[str, Any]:
    """The attributes as openinference-instrumentation-langchain 0.1.80 writes them."""
    said = {"ls_integration": "langgraph", "langgraph_step": 1} | ({"langgraph_checkpoint_ns": place} if place else {})
    return {"openinference.span.kind": kind, "metadata": json.dumps(said), **about}


def langsmith(kind: str, place: str) -> dict[str, Any]:
    """The attributes as langsmith's OpenTelemetry exporter writes them."""
    return {
        "gen_ai.operation.name": "chain" if kind == "chain" else "chat",
        "langsmith.span.kind": kind,
        "langsmith.metadata.langgraph_checkpoint_ns": place,
    }


@pytest.mark.parametrize(
    ("name", "attributes", "call"),
    [
        ("planner", openinference("CHAIN", NODE), Call("invoke_agent", "planner", run=NODE)),
        ("planner", langsmith("chain", NODE), Call("invoke_agent", "planner", run=NODE)),
        # "agent" is what the ready-made agent calls its inner node: the agent is the graph around it
        ("agent", openinference("AGENT", INNER), Call("chain", "planner")),
        ("agent", langsmith("chain", INNER), Call("chain", "planner")),
        (
            "Model",
            openinference("LLM", INNER, **{"llm.token_count.prompt": 7}),
            Call("chat", "planner", input_tokens=7),
        ),
        (
            "look",
            openinference("TOOL", "planner:6|tools:4", **{"tool.name": "look"}),
            Call("execute_tool", "planner", tool="look"),
        ),
        ("tools", openinference("CHAIN", "tools:4"), Call("chain")),  # of a graph that has no name
        ("RunnableSequence", openinference("CHAIN", NODE), Call("chain", "planner")),
        ("LangGraph", openinference("CHAIN"), Call("chain")),
        ("desk", openinference("CHAIN"), Call("invoke_agent", "desk", run="1")),
        # no LangGraph at all
        ("Planner", {"openinference.span.kind": "AGENT", "metadata": "[1]"}, Call("invoke_agent", "Planner")),
        ("Planner", {"openinference.span.kind": "AGENT", "metadata": "{lang"}, Call("invoke_agent", "Planner")),
        ("Planner", {"openinference.span.kind": "AGENT", "metadata": 5}, Call("invoke_agent", "Planner")),
    ],
)  # fmt: skip
def test_whose_work_a_span_is(name: str, attributes: dict[str, Any], call: Call) -> None:
    """The nearest graph or node with a name of its own is the agent; a span of its whole run is its call."""
    assert call_of(span(1, 1, name=name, attributes=attributes)) == call


@pytest.mark.parametrize("place", ["", ":", "|", "||:|", "a" * 100_000, "\ud800"])
def test_odd_places_break_nothing(place: str) -> None:
    """Whatever stands there, there is an answer."""
    assert isinstance(place_of(span(1, 1, attributes=langsmith("chain", place))), Place)


def test_long_metadata_is_not_read() -> None:
    """A text that could be a document is left alone."""
    about = openinference("AGENT", NODE, filler="x")
    about["metadata"] = about["metadata"][:-1] + ',"x":"' + "x" * MAX_BYTES + '"}'
    assert place_of(span(1, 1, attributes=about)) is None


def test_a_run_is_counted_once() -> None:
    """The second span of a run is not its first; another trace's run is another; what is remembered is bounded."""
    runs = Runs()
    assert [runs.first(1, NODE), runs.first(1, NODE), runs.first(2, NODE)] == [True, False, True]
    for number in range(MAX_RUNS):
        runs.first(3, str(number))
    assert runs.first(1, NODE)

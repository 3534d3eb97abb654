"""A LangGraph graph of two agents with a model that is not there, seen through OpenInference's bridge or LangSmith's.

Nothing here knows of PEA: where spans go is said by OTEL_EXPORTER_OTLP_ENDPOINT. Prints the spans that ended.
"""

import os
from contextlib import suppress

from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langchain_core.tools import tool
from langchain_core.tracers.langchain import wait_for_all_tracers
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import create_react_agent
from openinference.instrumentation.langchain import LangChainInstrumentor
from spans import print_spans, traced


@tool
def exchange_rate(currency: str) -> str:
    """The rate of a currency."""
    if currency == "XXX":
        raise ValueError("no such currency")
    return "1.09"


def answer(text: str, tokens: tuple[int, int], call: str = "") -> AIMessage:
    usage = {"input_tokens": tokens[0], "output_tokens": tokens[1], "total_tokens": sum(tokens)}
    calls = [{"name": "exchange_rate", "args": {"currency": call}, "id": "1"}] if call else []
    return AIMessage(text, usage_metadata=usage, tool_calls=calls)


class Model(GenericFakeChatModel):
    """Says what it was given."""

    def bind_tools(self, tools: object, **_: object) -> "Model":
        return self


planner = create_react_agent(
    Model(messages=iter([answer("", (11, 3), "EUR"), answer("1.09", (20, 5))])), [exchange_rate], name="planner"
)
doubter = create_react_agent(Model(messages=iter([answer("", (7, 2), "XXX")])), [exchange_rate], name="doubter")


def route(state: dict[str, list[AnyMessage]]) -> str:
    return "doubter" if state["messages"][0].content == "doubt" else END


provider = traced()
if "LANGSMITH_OTEL_ENABLED" not in os.environ:
    LangChainInstrumentor().instrument(tracer_provider=provider)
graph = StateGraph(MessagesState)
graph.add_node("planner", planner)
graph.add_node("doubter", doubter)
graph.add_edge(START, "planner")
graph.add_conditional_edges("planner", route)
app = graph.compile(name="desk")
with suppress(ValueError):
    app.invoke({"messages": [HumanMessage("doubt")]})
wait_for_all_tracers()
print_spans(provider)

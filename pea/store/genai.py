"""What a span of any agent framework says in one vocabulary: agent, operation, tool, model, tokens, error.

Version-tolerant: the GenAI semantic conventions under their current and older names, OpenInference, OpenLLMetry,
LangSmith's exporter and AutoGen's runtime. The names below are other projects' words, so they stand here and not in
otel/registry. A word that is not known costs nothing: the span stays what it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from pea.store.langgraph import place_of
from pea.telemetry import names
from pea.telemetry.record import ERROR, SpanRecord

INVOKE_AGENT, EXECUTE_TOOL, CHAT, CHAIN = "invoke_agent", "execute_tool", "chat", "chain"
MODEL_OPERATIONS = frozenset({CHAT, "text_completion", "generate_content", "completion", "embeddings"})
MAX_NAME = 200
MAX_TOKENS = 1 << 40

# What the first key present says. Current names come first, then older ones, then other conventions.
_AGENT = (
    names.GEN_AI_AGENT_NAME,
    "agent.name",  # OpenInference
    "agent_name",  # pydantic-ai before version 1
    "langsmith.metadata.lc_agent_name",
    "langsmith.metadata.agent_name",
    "gen_ai.agent.id",
)
_MODEL = (
    "gen_ai.request.model",
    "gen_ai.response.model",
    "llm.model_name",  # OpenInference
    "llm.request.model",
    "model_name",
    "langsmith.metadata.ls_model_name",
)
_TOOL = ("gen_ai.tool.name", "tool.name", "tool_name")
_INPUT = (
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.prompt_tokens",
    "llm.token_count.prompt",
    "llm.usage.prompt_tokens",
)
_OUTPUT = (
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.token_count.completion",
    "llm.usage.completion_tokens",
)
TOKEN_KEYS = frozenset(_INPUT + _OUTPUT)
_KIND = ("openinference.span.kind", "langsmith.span.kind", "traceloop.span.kind", "llm.request.type")
_KINDS = {
    "agent": INVOKE_AGENT,
    "llm": CHAT,
    "chat": CHAT,
    "completion": "text_completion",
    "tool": EXECUTE_TOOL,
    "embedding": "embeddings",
    "retriever": "retrieval",
    "reranker": "rerank",
    "chain": CHAIN,
    "task": CHAIN,
    "workflow": "invoke_workflow",
}
_ENTITY = "traceloop.entity.name"
_NODE = "langsmith.metadata.langgraph_node"
_AUTOGEN = re.compile(r"autogen (\w+) (.{1,300})", re.DOTALL)
_AUTOGEN_AGENT = re.compile(r"(.{1,200}?)(?:\.\(.*\)-A|/.*)", re.DOTALL)
_TITLE = re.compile(r"(invoke_agent|execute_tool|chat) (.{1,200})", re.DOTALL)


class Call(msgspec.Struct, frozen=True):
    """A step of an agent; ``""`` and 0 where nothing is said. Tokens are this step's own, never its children's."""

    operation: str
    agent: str = ""
    tool: str = ""
    model: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    error: str = ""
    run: str = ""  # of which several spans may tell, each as if it were the only one


def call_of(record: SpanRecord) -> Call | None:
    """What the span says; None when it is no step of an agent."""
    about = record.attributes
    operation = _operation(record)
    agent = _first(about, _AGENT)
    run = ""
    if operation and (place := place_of(record)) is not None:
        agent, run = agent or place.agent, place.run
        if operation in {CHAIN, INVOKE_AGENT}:  # OpenInference takes whatever has "agent" in its name for one
            operation = INVOKE_AGENT if run else CHAIN
    if not operation and not agent:
        return _autogen(record)
    tool = _first(about, _TOOL)
    title = _TITLE.fullmatch(record.name)
    if operation == INVOKE_AGENT and not agent:
        agent = _first(about, (_ENTITY, _NODE)) or (title[2] if title and title[1] == INVOKE_AGENT else "")
        agent = agent or (record.name if record.name != INVOKE_AGENT else "")
    if operation == EXECUTE_TOOL and not tool:
        tool = _first(about, (_ENTITY,)) or (title[2] if title and title[1] == EXECUTE_TOOL else record.name)
    counted = operation in MODEL_OPERATIONS  # an agent's usage is the sum of its model calls': counted once, there
    return Call(
        operation=operation or "step",
        agent=agent[:MAX_NAME],
        tool=tool[:MAX_NAME],
        model=_first(about, _MODEL)[:MAX_NAME],
        input_tokens=_tokens(about, _INPUT) if counted else 0,
        output_tokens=_tokens(about, _OUTPUT) if counted else 0,
        error=_error(record),
        run=run,
    )


def normalised(record: SpanRecord, call: Call) -> SpanRecord:
    """The record with the present names beside those it came with, so that all else reads one vocabulary."""
    said = {
        names.GEN_AI_OPERATION_NAME: call.operation,
        names.GEN_AI_AGENT_NAME: call.agent,
        "gen_ai.tool.name": call.tool,
        "gen_ai.request.model": call.model,
        "gen_ai.usage.input_tokens": call.input_tokens,
        "gen_ai.usage.output_tokens": call.output_tokens,
        names.ERROR_TYPE: call.error,
    }
    missing = {key: value for key, value in said.items() if value and key not in record.attributes}
    if missing:
        record.attributes = {**record.attributes, **missing}
    return record


def _operation(record: SpanRecord) -> str:
    about = record.attributes
    said = about.get(names.GEN_AI_OPERATION_NAME)
    if isinstance(said, str) and said:
        kind = about.get("langsmith.span.kind")
        if said == CHAIN and isinstance(kind, str) and kind.lower() not in {"", CHAIN}:
            return _KINDS.get(kind.lower(), said)
        return _KINDS.get(said, said)[:MAX_NAME]
    kind = _first(about, _KIND).lower()
    if kind:
        return _KINDS.get(kind, kind)[:MAX_NAME]
    if "gen_ai.tool.name" in about:
        return EXECUTE_TOOL
    if any(key in about for key in ("gen_ai.request.model", "gen_ai.system", "gen_ai.provider.name")):
        return CHAT
    return ""


def _autogen(record: SpanRecord) -> Call | None:
    """AutoGen's runtime has no GenAI names: ``autogen process coder.(default)-A`` is the agent at work."""
    match = _AUTOGEN.fullmatch(record.name)
    if match is None:
        return None
    target = record.attributes.get("messaging.destination")
    agent = _AUTOGEN_AGENT.fullmatch(target if isinstance(target, str) and target else match[2])
    if agent is None:  # a topic, which is nobody
        return Call(operation=match[1], error=_error(record))
    # Making a message, sending and acknowledging it are one call seen from its ends: only the work counts as a call.
    operation = INVOKE_AGENT if match[1] == "process" else match[1]
    return Call(operation=operation, agent=agent[1][:MAX_NAME], error=_error(record))


def _first(attributes: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    for key in keys:
        value = attributes.get(key)
        if isinstance(value, str) and value:
            return value
    return ""


def _tokens(attributes: Mapping[str, Any], keys: tuple[str, ...]) -> int:
    for key in keys:
        value = attributes.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < MAX_TOKENS:
            return int(value)
    return 0


def _error(record: SpanRecord) -> str:
    said = record.attributes.get(names.ERROR_TYPE)
    if isinstance(said, str) and said:
        return said[:MAX_NAME]
    if record.status != ERROR:
        return ""
    for event in record.events:
        kind = event[2].get("exception.type")
        if isinstance(kind, str) and kind:
            return kind[:MAX_NAME]
    return "_OTHER"  # what the conventions call an error without a type

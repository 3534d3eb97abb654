"""A pydantic-ai agent with its test model, a tool that works and an agent that fails."""

from contextlib import suppress

from pydantic_ai import Agent, UnexpectedModelBehavior
from pydantic_ai.models.function import FunctionModel
from pydantic_ai.models.test import TestModel
from spans import print_spans, traced

provider = traced()
Agent.instrument_all()
drafter = Agent(TestModel(), name="drafter")


@drafter.tool_plain
def today() -> str:
    """The date."""
    return "2026-05-12"


def break_off(*_: object) -> None:
    raise UnexpectedModelBehavior("the model said nothing")


drafter.run_sync("a letter")
with suppress(UnexpectedModelBehavior):
    Agent(FunctionModel(break_off), name="critic").run_sync("a letter")
print_spans(provider)

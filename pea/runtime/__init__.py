"""Agents, tasks and the calls between them."""

from pea.runtime.agent import Agent, capability
from pea.runtime.batch import Batch
from pea.runtime.context import Context, Outcome
from pea.runtime.contract import Capability
from pea.runtime.directory import AgentRecord, AgentState
from pea.runtime.runtime import Health, Runtime
from pea.runtime.task import Priority, Task, TaskError, TaskEvent, TaskState
from pea.runtime.workers import isolated

__all__ = [
    "Agent",
    "AgentRecord",
    "AgentState",
    "Batch",
    "Capability",
    "Context",
    "Health",
    "Outcome",
    "Priority",
    "Runtime",
    "Task",
    "TaskError",
    "TaskEvent",
    "TaskState",
    "capability",
    "isolated",
]

"""Whose code is whose: an agent's class, its module, and for a module with several agents the classes in it."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from types import CodeType

from pea.runtime.agent import Agent


class Owners:
    """Tells the agent whose code an object is, ``""`` for nobody's; of one class under two names nobody's either."""

    def __init__(self, agents: Iterable[Agent]) -> None:
        self._files: dict[str, Mapping[str, str]] = {}  # by file: agents by the names of their classes
        found: dict[str, dict[str, str]] = {}
        for agent in agents:
            for kind in type(agent).__mro__:
                if kind is Agent or not issubclass(kind, Agent):
                    break
                try:
                    file = inspect.getfile(kind)
                except (TypeError, OSError):  # made at a prompt
                    continue
                named = found.setdefault(file, {})
                before = named.get(kind.__qualname__, agent.name)
                named[kind.__qualname__] = agent.name if before == agent.name else ""
        self._files.update(found)

    def __call__(self, code: CodeType) -> str:
        """The owner of a code object."""
        classes = self._files.get(code.co_filename)
        if classes is None:
            return ""
        if len(set(classes.values())) == 1:
            return next(iter(classes.values()))
        return classes.get(code.co_qualname.partition(".")[0], "")

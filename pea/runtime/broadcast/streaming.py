"""A capability that streams: an async generator, whose items are checked one by one."""

from __future__ import annotations

import typing
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import msgspec

from pea.errors import OutputError, PeaError
from pea.runtime.agent import Agent, Declared
from pea.runtime.contract import Capability

MOST_ITEMS = 10_000  # that a plain call collects


class Streaming(Capability):
    """Its plain call collects all items into a list; `open` gives them as they come."""

    __slots__ = ("item_type",)

    def __init__(self, agent: Agent, method: Callable[..., Awaitable[Any]], declared: Declared) -> None:
        super().__init__(agent, method, declared)
        inner = typing.get_args(self.output_type)
        if typing.get_origin(self.output_type) not in (AsyncIterator, AsyncGenerator) or not inner:
            raise PeaError("streams, so it returns AsyncIterator[...]", where=declared.name)
        self.item_type = inner[0]
        self.output_type = list[self.item_type]  # type: ignore[name-defined]

    def open(self, ctx: Any, bound: msgspec.Struct) -> AsyncGenerator[Any, None]:
        """The method's own generator."""
        opened: Any = super().invoke(ctx, bound)
        return opened  # type: ignore[no-any-return]

    async def invoke(self, ctx: Any, bound: msgspec.Struct) -> list[Any]:
        """All items; OutputError when there is no end to them."""
        items: list[Any] = []
        async with aclosing(self.open(ctx, bound)) as stream:
            async for item in stream:
                if len(items) >= MOST_ITEMS:
                    what = f"streams more than {MOST_ITEMS:,} items"
                    raise OutputError(what, where=self.name, fix="take them as they come: ctx.stream")
                items.append(item)
        return items

    def check_item(self, item: Any) -> Any:
        """The item, checked against the declared type; OutputError when it does not fit."""
        try:
            return msgspec.convert(item, self.item_type)
        except msgspec.ValidationError as error:
            raise OutputError(f"streams what it does not declare: {error}", where=self.name) from None

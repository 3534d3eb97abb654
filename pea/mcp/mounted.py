"""Another MCP server as an agent: each of its tools is a capability ``name.tool``, typed, bounded in time, traced."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
from opentelemetry import propagate
from opentelemetry.trace import SpanKind

from pea.config import McpServer, Settings
from pea.errors import ConfigError
from pea.mcp.link import Link, ToolFailed, ToolSpec
from pea.mcp.typed import input_struct
from pea.runtime import Agent, Capability, Context
from pea.runtime.agent import Declared
from pea.telemetry import get_logger, names

MAX_REFUSAL = 2_000  # characters of what a failed tool said

log = get_logger("pea.mcp")


class MountedCapability(Capability):
    """A tool of another server as a capability: its own schemas, and a struct made from them."""

    __slots__ = ("_spec",)

    def __init__(self, agent: Mounted, spec: ToolSpec, name: str, timeout_s: float) -> None:
        self.agent = agent.name
        self.name = name
        self.declared = Declared(
            name=name, timeout_s=timeout_s, retries=None, idempotent=spec.idempotent, writes=not spec.read_only
        )
        self.description = spec.description
        self.cache_version = agent.cache_version
        self.input_type, self.output_type, self.keyword_only = input_struct(f"{name}.Input", spec.input), Any, False
        self._spec = spec

        async def call(ctx: Context, *_: Any, bound: msgspec.Struct) -> Any:
            return await agent.call_tool(ctx, spec, msgspec.to_builtins(bound))

        self._method = call

    def invoke(self, ctx: Any, bound: msgspec.Struct) -> Any:
        """Call the tool with the bound arguments."""
        return self._method(ctx, bound=bound)

    def schemas(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The schemas as the other server gives them."""
        return self._spec.input, self._spec.output or {}


class Mounted(Agent):
    """One server. It starts at once with the tools that are known from before, and connects meanwhile."""

    def __init__(self, name: str, server: McpServer, state: str = "") -> None:
        setattr(self, "name", name)  # noqa: B010 - a class has one name; here each instance has the configuration's
        self._server = server
        self._path = Path(state) / "mcp" / f"{name}.json" if state else None
        self._link = Link(name, server, self._changed)
        self._ctx: Context | None = None

    async def start(self, ctx: Context) -> None:
        """Connect; wait only if it is not known from before what there is."""
        self._ctx = ctx
        known = self._remembered()
        if known:
            self._offer(known)
        self._link.open()
        if not known and not await self._link.connected(float(self._server.connect)):
            log.warning("an MCP server is not there yet", server=self.name, reason=self._link.problem)

    async def stop(self) -> None:
        """End the connection."""
        await self._link.aclose()

    async def health(self) -> str | None:
        """Why the server cannot be reached, if it cannot."""
        return self._link.problem

    async def call_tool(self, ctx: Context, spec: ToolSpec, arguments: dict[str, Any]) -> Any:
        """One call, below a span of its own that the server can continue; raises ToolFailed or AgentUnavailable."""
        attributes = {
            names.MCP_METHOD_NAME: "tools/call",
            names.GEN_AI_OPERATION_NAME: "execute_tool",
            names.GEN_AI_TOOL_NAME: spec.name,
            names.PEA_CONNECTOR_NAME: self.name,
        }
        with ctx.tracer.span(f"{names.SPAN_EXECUTE_TOOL} {spec.name}", attributes, kind=SpanKind.CLIENT):
            meta: dict[str, Any] = {}
            propagate.inject(meta)
            result = await self._link.call(spec.name, arguments, meta)
            return self._read(spec, result)

    def _read(self, spec: ToolSpec, result: Any) -> Any:
        texts = [part.text for part in result.content if part.type == "text"]
        if result.isError:
            what = " ".join(texts)[:MAX_REFUSAL] or "it failed without a word"
            raise ToolFailed(what, where=f"{self.name}.{spec.name}")
        value = result.structuredContent
        if value is None:
            others = [{"type": part.type} for part in result.content if part.type != "text"]
            value = {"text": "\n".join(texts), **({"others": others} if others else {})}
        size, limit = len(msgspec.json.encode(value)), int(self._server.result_size)
        if size > limit:
            raise ToolFailed(
                f"its result has {size:,} bytes; at most {limit:,} are taken",
                where=f"{self.name}.{spec.name}",
                fix=f"ask for less, or raise mcp.servers.{self.name}.result_size",
            )
        return value

    async def _changed(self, tools: list[ToolSpec]) -> None:
        self._offer(tools)
        if self._path is not None:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._path.write_bytes(msgspec.json.encode(tools))
            except OSError as error:  # the next start waits for the server, that is all
                log.warning("an MCP server's tools cannot be kept", server=self.name, reason=str(error))

    def _offer(self, tools: list[ToolSpec]) -> None:
        if self._ctx is None:
            return
        made: dict[str, MountedCapability] = {}
        for spec in tools:
            short = re.sub(r"\W", "_", spec.name)[:100] or "tool"
            name, number = f"{self.name}.{short}", 2
            while name in made:
                name, number = f"{self.name}.{short}_{number}", number + 1
            made[name] = MountedCapability(self, spec, name, float(self._server.timeout))
        self._ctx.offer(list(made.values()))

    def _remembered(self) -> list[ToolSpec]:
        """The tools that were listed the last time; none when there is no such list, or it is not readable."""
        if self._path is None or not self._path.is_file():
            return []
        try:
            known = msgspec.json.decode(self._path.read_bytes(), type=list[ToolSpec])
        except (msgspec.MsgspecError, OSError):
            return []
        wanted = set(self._server.tools)
        return [tool for tool in known if not wanted or tool.name in wanted]


def mounted(settings: Settings) -> list[Agent]:
    """An agent for each server of the configuration; ConfigError for a name that cannot be one."""
    for name in settings.mcp.servers:
        if not name.isidentifier():
            raise ConfigError(
                f"{name!r} is no name for capabilities to begin with", where="mcp.servers", fix="use letters, digits, _"
            )
    return [Mounted(name, server, settings.state) for name, server in settings.mcp.servers.items()]

"""Another MCP server, made with the SDK's own framework: what PEA mounts in the tests."""

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

from mcp.server.fastmcp import Context, FastMCP
from mcp.types import ToolAnnotations
from pydantic import Field

server = FastMCP("other", host="127.0.0.1", port=int(sys.argv[1]) if len(sys.argv) > 1 else 8000)
READS = ToolAnnotations(readOnlyHint=True)


@server.tool(annotations=READS)
def add(a: int, b: Annotated[int, Field(ge=0, le=100)] = 1) -> int:
    """Add two numbers."""
    return a + b


@server.tool(name="from-to", annotations=READS)
def from_to(unit: Literal["km", "mile"], value: float) -> str:
    """Convert a distance."""
    return f"{value:g} {unit}"


@server.tool(annotations=READS)
def carried(ctx: Context) -> str:
    """Tell the trace context that came with the call."""
    meta = ctx.request_context.meta
    return str((meta.model_extra or {}).get("traceparent", "")) if meta else ""


@server.tool()
def fail() -> str:
    """Fail."""
    raise ValueError("the cupboard is bare")


@server.tool(annotations=READS)
def large() -> str:
    """Say too much."""
    return "x" * 500_000


@server.tool(annotations=READS)
def secret() -> str:
    """Tell the secret of the environment."""
    return os.environ.get("OTHER_SECRET", "")


@server.tool(annotations=READS)
def die_once() -> str:
    """End the process at the first call."""
    flag = Path(os.environ["OTHER_FLAG"])
    if not flag.exists():
        flag.touch()
        os._exit(1)
    return "alive"


@server.tool()
async def grow(ctx: Context) -> str:
    """Have one tool more from now on."""
    server.add_tool(lambda: "grown", name="grown", description="Say that it has grown.")
    await ctx.session.send_tool_list_changed()
    return "ok"


if __name__ == "__main__":
    server.run("streamable-http" if len(sys.argv) > 1 else "stdio")

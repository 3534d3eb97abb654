"""A host lists and calls every capability; each call is one trace with the host's; what fails says why."""

import asyncio
import re

import aiohttp
import jsonschema
import pytest
from mcp import McpError

TRACE, SPAN = "a" * 32, "b" * 16


async def spans_of(service, trace_id):
    """What was recorded of a trace."""
    await service.runtime.telemetry.flush()
    return service.runtime.telemetry.recent.get(trace_id)


async def test_every_capability_is_a_tool(host):
    """There is a tool for each capability, under a name every host takes, with an object at its schemas' roots."""
    async with host() as one:
        tools = {tool.title: tool for tool in (await one.session.list_tools()).tools}
        assert set(tools) == set(one.service.runtime.directory.capabilities)
        for tool in tools.values():
            assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", tool.name)
            assert tool.inputSchema["type"] == tool.outputSchema["type"] == "object"
            jsonschema.Draft202012Validator.check_schema(tool.inputSchema)
            jsonschema.Draft202012Validator.check_schema(tool.outputSchema)
        assert tools["desk.page"].description.startswith("Write a page.\n\nWith as many")
        assert tools["desk.page"].inputSchema["required"] == ["day"]


async def test_annotations_tell_what_changes_something(host):
    """What only reads says so; what is not idempotent, or declares that it writes, does not."""
    async with host() as one:
        hints = {tool.title: tool.annotations for tool in (await one.session.list_tools()).tools}
        assert (hints["desk.say"].readOnlyHint, hints["desk.say"].destructiveHint) == (True, False)
        assert (hints["desk.shred"].readOnlyHint, hints["desk.shred"].idempotentHint) == (False, False)
        assert (hints["memory.store"].readOnlyHint, hints["memory.store"].idempotentHint) == (False, True)
        assert hints["memory.retrieve"].readOnlyHint


async def test_results_fit_the_schemas_that_are_listed(host):
    """Objects stand as they are, others under `result`; the SDK's client checks each against the output schema."""
    async with host() as one:
        await one.session.list_tools()
        page = await one.call("desk_page", day="2026-05-12", copies=2)
        assert page == {"day": "2026-05-12", "lines": ["line", "line"]}
        assert await one.call("desk.say", words="grüß") == {"result": "grüß"}
        assert await one.call("desk_shred") == {"result": None}
        tree = {"name": "a", "children": [{"name": "b", "children": []}]}
        assert await one.call("desk_tree", root=tree) == tree


async def test_a_call_is_one_trace_with_the_hosts(host):
    """`_meta.traceparent` is the parent of the call's span, which is the task's; the answer names the span."""
    async with host() as one:
        meta = {"traceparent": f"00-{TRACE}-{SPAN}-01"}
        found = await one.session.call_tool("desk_say", {"words": "x"}, meta=meta)
        spans = {span.name: span for span in await spans_of(one.service, TRACE)}
        call, task = spans["tools/call desk_say"], spans["task desk.say"]
        assert call.parent_id == SPAN
        assert call.kind == "server"
        assert task.parent_id == call.span_id
        assert "invoke_agent desk" in spans
        assert found.meta["traceparent"] == f"00-{TRACE}-{call.span_id}-01"
        assert found.meta["pea.task.id"] == task.attributes["pea.task.id"]


@pytest.mark.parametrize("given", ["", "00-zz-1-01", "x" * 10_000, 7, None])
async def test_a_broken_traceparent_begins_a_new_trace(host, given):
    """What is no trace context is ignored, as the specification says; the call works."""
    async with host() as one:
        found = await one.session.call_tool("desk_say", {"words": "x"}, meta={"traceparent": given})
        trace_id = found.meta["traceparent"].split("-")[1]
        assert trace_id != "0" * 32
        names = {span.name for span in await spans_of(one.service, trace_id)}
        assert {"tools/call desk_say", "task desk.say"} <= names


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("desk_page", {"day": "tomorrow"}, "day"),
        ("desk_page", {}, "day"),
        ("desk_page", {"day": "2026-05-12", "copies": 9}, "copies"),
        ("desk_say", {"words": "x", "loud": True}, "loud"),
        ("desk_fail", {"reason": "the printer burns"}, "the printer burns"),
        ("desk_large", {}, "at most 100,000"),
    ],
)
async def test_a_failure_is_a_result_that_says_why(host, tool, arguments, said):
    """Wrong input and a failed task are answers that a model can act on, not errors of the protocol."""
    async with host(mcp={"result_size": 100_000}) as one:
        found = await one.session.call_tool(tool, arguments)
        assert found.isError
        assert said in found.content[0].text
        trace_id = found.meta["traceparent"].split("-")[1]
        (span,) = [one for one in await spans_of(one.service, trace_id) if one.name == f"tools/call {tool}"]
        assert span.attributes["error.type"]


async def test_an_unknown_tool_is_an_error_with_the_nearest_name(host):
    """The protocol wants invalid params for a tool that does not exist."""
    async with host() as one:
        with pytest.raises(McpError, match="did you mean 'desk_say'") as refused:
            await one.session.call_tool("desk_sya", {})
        assert refused.value.error.code == -32602


async def test_what_needs_approval_waits_for_a_person(host, tmp_path):
    """The tool answers at once that nothing has been done; once a person approves, the task goes on."""
    async with host(state=str(tmp_path)) as one:
        found = await one.session.call_tool("desk_send", {"to": "Anna"})
        assert "Waiting for approval: send to Anna" in found.content[0].text
        task_id = found.meta["pea.task.id"]
        async with (
            aiohttp.ClientSession(one.service.url) as client,
            client.post(f"/v1/tasks/{task_id}/approve") as answer,
        ):
            assert answer.status in (200, 202)
        task = await one.service.runtime.scheduler.wait(task_id, 5)
        assert task.state == "succeeded"


async def test_progress_tells_the_tasks_states(host):
    """A host that wants progress hears each state, in order, before the result."""
    heard: list[tuple[float, str | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, message))

    async with host() as one:
        await one.session.call_tool("desk_say", {"words": "x"}, progress_callback=hear)
        assert heard == [(1.0, "queued"), (2.0, "running"), (3.0, "succeeded")]


async def test_memory_is_reached_by_tools(host, tmp_path):
    """Store, retrieve and search by namespace; what one host stored another retrieves, over a restart too."""
    async with host(state=str(tmp_path)) as one:
        await one.call("memory_store", namespace="travel:prefs", key="seat", value={"seat": "aisle"})
        found = await one.call("memory_search", namespace="travel", query="aisle")
        assert [memory["key"] for memory in found["memories"]] == ["seat"]
    async with host(state=str(tmp_path)) as other:
        kept = await other.call("memory_retrieve", namespace="travel:prefs", key="seat")
        assert kept["memory"]["value"] == {"seat": "aisle"}
        assert await other.call("memory_forget", namespace="travel:prefs", key="seat") == {"forgotten": True}
        assert await other.call("memory_retrieve", namespace="travel:prefs", key="seat") == {"memory": None}


async def test_calls_side_by_side_get_their_own_answers(host):
    """Answers are not mixed up between calls of one session."""
    async with host() as one:
        said = await asyncio.gather(*(one.call("desk_say", words=str(number)) for number in range(40)))
        assert [answer["result"] for answer in said] == [str(number) for number in range(40)]


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost.evil.example", "http://["])
async def test_pages_of_other_sites_are_kept_out(host, origin):
    """A browser page elsewhere cannot speak to the server, whatever it sends."""
    async with (
        host() as one,
        aiohttp.ClientSession(one.service.url) as client,
        client.post("/mcp", json={}, headers={"Origin": origin}) as answer,
        client.get("/mcp", headers={"Origin": origin, "Accept": "text/event-stream"}) as stream,
    ):
        assert (answer.status, stream.status) == (403, 403)


@pytest.mark.parametrize("body", [b"{", b"[" * 1_000, b'{"a":1,"a":2}', b"\xff", b'{"n":NaN}'])
async def test_hostile_bodies_are_refused(host, body):
    """What is no JSON, or two things at once, never reaches the protocol."""
    async with (
        host() as one,
        aiohttp.ClientSession(one.service.url) as client,
        client.post("/mcp", data=body, headers={"Content-Type": "application/json"}) as answer,
    ):
        assert answer.status == 400


async def test_sessions_are_bounded(host):
    """Past the bound of sessions a host is told to come later; the others are served on."""
    initialize = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
    }
    headers = {"Accept": "application/json, text/event-stream"}
    async with host(mcp={"sessions": 1}) as one, aiohttp.ClientSession(one.service.url) as client:
        async with client.post("/mcp", json=initialize, headers=headers) as answer:
            assert answer.status == 503
        assert await one.call("desk_say", words="x") == {"result": "x"}


async def test_it_can_be_turned_off(serve_off):
    """With `mcp.on: false` there is no such route."""
    async with serve_off.get("/mcp", headers={"Accept": "text/event-stream"}) as answer:
        assert answer.status == 404


@pytest.fixture
async def serve_off():
    """A client of a service without MCP."""
    from pea import Runtime, Settings
    from pea.config import McpSettings, ServiceSettings
    from pea.service import Service

    settings = Settings(service=ServiceSettings(port=0), mcp=McpSettings(on=False))
    async with Service(Runtime(settings, agents=[])) as service, aiohttp.ClientSession(service.url) as client:
        await service.ready()
        yield client

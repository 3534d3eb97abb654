"""Another server's tools are capabilities: typed, traced, retried when they may be, and back after a crash."""

import asyncio
import subprocess
import sys
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import msgspec
import pytest

from pea import InputError, PeaError, Runtime, Settings
from pea.agents.orchestrator import Orchestrator
from pea.config import McpServer

pytest.importorskip("mcp", reason="pea[mcp] is not installed")

from pea.mcp.link import Link, ToolFailed
from pea.mcp.mounted import Mounted, mounted
from pea.mcp.typed import input_struct
from tests.ports import await_port, free_port

SERVER = str(Path(__file__).with_name("other_server.py"))


@contextmanager
def serving(port):
    """The other server at a port, until it is killed."""
    with subprocess.Popen([sys.executable, SERVER, str(port)], stderr=subprocess.DEVNULL) as process:
        try:
            await_port(port, process)
            yield f"http://127.0.0.1:{port}/mcp"
        finally:
            process.kill()


@pytest.fixture(scope="module")
def url():
    """The other server behind an address, for all tests that do not need one of their own."""
    with serving(free_port()) as address:
        yield address


def configured(tmp_path, **server):
    """Settings that mount the other server under the name `other`: by its ``url``, or as a program of its own."""
    server = {"command": [] if "url" in server else [sys.executable, SERVER], "connect": "20s", **server}
    tree = {"state": str(tmp_path), "mcp": {"servers": {"other": server}}}
    return msgspec.convert(tree, Settings, dec_hook=lambda kind, value: kind.parse(value))


def fleet(settings):
    """A runtime with the orchestrator and what the settings mount."""
    return Runtime(settings, agents=[Orchestrator(), *mounted(settings)])


async def test_tools_are_capabilities(tmp_path, monkeypatch):
    """Each tool is called by `name.tool`, checked here by its schema, and its result is given back."""
    monkeypatch.setenv("SECRET_FOR_TEST", "hush")
    settings = configured(tmp_path, env={"OTHER_SECRET": "$SECRET_FOR_TEST"}, result_size=100_000)
    async with fleet(settings) as runtime:
        record = runtime.directory.record("other")
        assert "other.add" in record.capabilities
        assert await runtime.call("other.add", a=2, b=3) == {"result": 5}
        assert await runtime.call("other.from_to", unit="km", value=1.5) == {"result": "1.5 km"}
        assert await runtime.call("other.secret") == {"result": "hush"}
        assert (await runtime.health("other")).problem is None
        for wrong in ({"a": "two"}, {"a": 1, "b": 101}, {}, {"a": 1, "c": 1}):
            with pytest.raises(InputError):
                await runtime.call("other.add", **wrong)
        with pytest.raises(InputError):
            await runtime.call("other.from_to", unit="league", value=1)
        with pytest.raises(ToolFailed, match="the cupboard is bare"):
            await runtime.call("other.fail")
        with pytest.raises(ToolFailed, match="at most 100,000"):
            await runtime.call("other.large")
        writes = {offer.name: offer.writes for offer in runtime.dispatcher.offers()}
        assert (writes["other.add"], writes["other.fail"]) == (False, True)
        _, reply = await runtime.scheduler.run("orchestrator.ask", {"request": "convert a distance of 3 km"})
        assert reply.understood.capability == "other.from_to"


async def test_a_call_carries_the_trace(tmp_path, url):
    """The server is told the client span of the call, which is below the task's."""
    async with fleet(configured(tmp_path, url=url)) as runtime:
        task, told = await runtime.scheduler.run("other.carried", {})
        await runtime.telemetry.flush()
        spans = {span.name: span for span in runtime.telemetry.recent.get(task.trace_id)}
        call = spans["execute_tool carried"]
        assert told["result"].startswith(f"00-{task.trace_id}-{call.span_id}-0")
        assert call.kind == "client"
        assert call.parent_id == spans["invoke_agent other"].span_id


async def test_a_server_that_died_is_started_again(tmp_path):
    """A call that only reads is tried again on the new connection, and succeeds."""
    async with fleet(configured(tmp_path, env={"OTHER_FLAG": str(tmp_path / "flag")})) as runtime:
        assert await runtime.call("other.die_once") == {"result": "alive"}
        assert (tmp_path / "flag").exists()
        agent = runtime.directory.agent("other")
        assert isinstance(agent, Mounted)
        assert agent._link.attempts == 2


async def test_tools_are_known_from_before(tmp_path, url, monkeypatch):
    """The second start offers what the first one listed at once, though the server cannot be reached."""
    async with fleet(configured(tmp_path, url=url)):
        pass
    monkeypatch.delattr(Link, "connected")  # an agent that waited for its server could not start
    async with fleet(configured(tmp_path, command=["/nonexistent/server"], connect="50ms")) as runtime:
        monkeypatch.undo()
        assert "other.add" in runtime.directory.capabilities
        with pytest.raises(PeaError, match="does not answer"):
            await asyncio.wait_for(runtime.dispatcher.call("other.add", {"a": 1}, deadline=float("inf")), 60)


async def test_one_that_breaks_after_each_start_is_started_less_and_less_often(monkeypatch):
    """Each connection comes about and breaks at once: the pauses double up to their bound; a long one forgives."""
    now, pauses, lasting = [0.0], [], [0.0] * 9 + [60.0, 0.0]

    class Brief(Link):
        @asynccontextmanager
        async def _opened(self):
            yield None

        async def _listed(self, session):
            return []

        async def _serve(self, session):
            now[0] += lasting[len(pauses)]

    async def sleep(seconds):
        pauses.append(seconds)
        if len(pauses) == len(lasting):
            raise asyncio.CancelledError

    async def changed(_tools):
        return None

    link = Brief("brief", McpServer(command=["true"]), changed)
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now[0])
    monkeypatch.setattr("pea.mcp.link.asyncio.sleep", sleep)
    monkeypatch.setattr("pea.mcp.link.random.uniform", lambda _low, high: high)
    with pytest.raises(asyncio.CancelledError):
        await link._keep()
    assert pauses == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 0.25, 0.5]


async def test_a_state_that_cannot_be_written_keeps_nobody_from_the_tools(tmp_path, url):
    """They are not known before the next time; the connection stands all the same."""
    (tmp_path / "mcp").touch()
    async with fleet(configured(tmp_path, url=url)) as runtime:
        assert await runtime.call("other.add", a=1, b=2) == {"result": 3}
        assert runtime.directory.agent("other")._link.attempts == 1


async def test_a_server_that_is_not_there_leaves_the_others_running(tmp_path):
    """Its problem is told by its health; all else works."""
    async with fleet(configured(tmp_path, command=["/nonexistent/server"], connect="50ms")) as runtime:
        assert "nonexistent" in (await runtime.health("other")).problem
        assert (await runtime.call("memory.search")).memories == []


async def test_only_chosen_tools_are_mounted(tmp_path, url):
    """`tools` says which; the others are not offered."""
    async with fleet(configured(tmp_path, url=url, tools=["add"])) as runtime:
        assert runtime.directory.record("other").capabilities == ("other.add",)


async def test_a_changed_list_is_offered_anew(tmp_path):
    """When the server says that its tools changed, the new one can be called."""
    async with fleet(configured(tmp_path)) as runtime:
        link, heard = runtime.directory.agent("other")._link, asyncio.Event()
        before = link._changed

        async def changed(tools):
            await before(tools)
            heard.set()

        link._changed = changed
        await runtime.call("other.grow")
        await asyncio.wait_for(heard.wait(), 10)  # the notification comes beside the answer
        assert "other.grown" in runtime.directory.record("other").capabilities
        assert await runtime.call("other.grown") == {"text": "grown"}


async def test_over_http(tmp_path, url):
    """A server at an address is mounted the same way."""
    async with fleet(configured(tmp_path, url=url)) as runtime:
        assert await runtime.call("other.add", a=40, b=2) == {"result": 42}


async def test_a_server_that_was_started_anew_is_asked_anew(tmp_path):
    """It knows nothing of the session that its predecessor began: the next call that only reads begins another."""
    port = free_port()
    with ExitStack() as first, ExitStack() as second:
        settings = configured(tmp_path, url=first.enter_context(serving(port)))
        async with fleet(settings) as runtime:
            assert await runtime.call("other.add", a=1, b=1) == {"result": 2}
            first.close()
            await asyncio.to_thread(second.enter_context, serving(port))
            assert await runtime.call("other.add", a=40, b=2) == {"result": 42}


@pytest.mark.parametrize("name", ["a-b", "1a", "", "a.b"])
def test_a_name_must_be_able_to_begin_a_capability(name):
    """What cannot stand before the dot is refused with the place."""
    tree = {"mcp": {"servers": {name: {"command": ["x"]}}}}
    with pytest.raises(PeaError, match=r"mcp\.servers"):
        mounted(msgspec.convert(tree, Settings))


@pytest.mark.parametrize(
    ("schema", "fits", "misfits"),
    [
        ({"properties": {"from": {"type": "string"}}, "required": ["from"]}, {"from": "x"}, {"from": 1}),
        ({"properties": {"max-results": {"type": "integer", "minimum": 1}}}, {"max-results": 1}, {"max-results": 0}),
        ({"properties": {"a": {"type": ["string", "null"]}}}, {"a": None}, {"a": 1}),
        ({"properties": {"a": {"enum": ["x", "y"]}}}, {"a": "x"}, {"a": "z"}),
        ({"properties": {"a": {"type": "array", "items": {"type": "number"}}}}, {"a": [1.5]}, {"a": ["x"]}),
        ({"properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"type": "string"}}}, {"a": "x"}, {"a": 1}),
        ({"properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"$ref": "#/$defs/A"}}}, {"a": 1}, {"b": 1}),
        ({"properties": {"a": {"anyOf": [{"type": "object"}, {"type": "array"}]}}}, {"a": []}, {"a": 1}),
        ({"properties": {"a": {"type": "string", "minLength": -1}}}, {"a": ""}, {"a": 1}),
        ({"properties": {"a": {"type": "array", "maxItems": 2.0}}}, {"a": [1]}, {"a": 1}),
        ({"properties": {"a": {"type": "integer", "minimum": 1, "exclusiveMinimum": 0}}}, {"a": 1}, {"a": "x"}),
        ({"properties": {"a": {"enum": [10**30]}, "b": {"type": "null"}}}, {"a": 1}, {"c": 1}),
        ({"properties": "nonsense", "required": 7}, {}, {"a": 1}),
        ({}, {}, {"a": 1}),
    ],
)
def test_types_are_made_from_schemas(schema, fits, misfits):
    """What fits a schema is taken and what does not is refused, whatever the names and however odd the schema."""
    made = input_struct("t", schema)
    assert msgspec.to_builtins(msgspec.convert(fits, made)) == fits
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(misfits, made)

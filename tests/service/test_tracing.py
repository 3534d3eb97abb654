"""A request's span: what it says, whose trace it continues, what is not traced."""

import pytest
from opentelemetry import baggage, propagate
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from pea import Agent, Context, capability

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"


async def spans(site, trace_id):
    """The finished spans of a trace, by start."""
    telemetry = site.service.runtime.telemetry
    await telemetry.flush()
    return telemetry.recent.get(trace_id)


async def test_a_callers_trace_is_one_tree(site):
    """A task posted with a traceparent is server → task → agent calls under the caller's trace and span."""
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "v=1", "Prefer": "wait=10"}
    body = {"capability": "echo.relay", "input": {"words": "hi"}}
    _, task = await site.send("POST", "/v1/tasks", json=body, headers=headers)
    assert task["trace_id"] == TRACE
    found = {span.name: span for span in await spans(site, TRACE)}
    tree = ["POST /v1/tasks", "task echo.relay", "invoke_agent echo", "invoke_agent gate"]
    parents = [PARENT] + [found[name].span_id for name in tree]
    assert [found[name].parent_id for name in tree] == parents[:-1]
    assert found["POST /v1/tasks"].kind == "server"


async def test_the_server_span_follows_the_conventions(site):
    """The attributes are those of OpenTelemetry's HTTP conventions."""
    task = await site.task("echo.say", words="a")
    server = next(span for span in await spans(site, task["trace_id"]) if span.kind == "server")
    host, port = site.service.url.removeprefix("http://").split(":")
    agent = server.attributes.pop("user_agent.original")
    assert "aiohttp" in agent
    assert server.attributes == {
        "http.request.method": "POST",
        "http.route": "/v1/tasks",
        "http.response.status_code": 200,
        "url.path": "/v1/tasks",
        "url.scheme": "http",
        "network.protocol.version": "1.1",
        "server.address": host,
        "server.port": int(port),
        "client.address": "127.0.0.1",
    }
    assert server.status == "unset"


@pytest.mark.parametrize(
    ("method", "path", "name", "status", "route"),
    [
        ("GET", "/v1/tasks/nope", "GET /v1/tasks/{id}", 404, "/v1/tasks/{id}"),
        ("GET", "/no/such?secret=1", "GET", 404, None),
        ("PROPFIND", "/v1/tasks", "HTTP", 405, None),
    ],
)
async def test_refusals_are_traced_with_bounded_names(site, method, path, name, status, route):
    """A client's mistake is no error of the server, and no path or method a client makes up becomes a span's name."""
    _, problem = await site.send(method, path)
    (server,) = await spans(site, problem["trace_id"])
    assert (server.name, server.status) == (name, "unset")
    assert server.attributes["http.response.status_code"] == status
    assert server.attributes.get("http.route") == route
    assert server.attributes["url.path"] == path.partition("?")[0]
    assert (server.attributes.get("http.request.method_original") == method) == (method == "PROPFIND")


async def test_a_fault_is_an_error_with_its_type(site, monkeypatch):
    """A 500 sets the span's status and names the kind of problem."""
    monkeypatch.setattr(site.service.runtime.telemetry, "gather_figures", lambda: 1 / 0)
    _, problem = await site.send("GET", "/v1/agents")
    (server,) = await spans(site, problem["trace_id"])
    assert (server.status, server.attributes["error.type"]) == ("error", "internal")


async def test_a_stream_is_one_span_until_its_end(site, gate):
    """The span of an event stream lasts as long as the stream."""
    task = await site.task("gate.hold", wait=None)
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
    async with site.client.get(task["links"]["events"], headers=headers) as response:
        await response.content.readuntil(b"\n\n")
        assert await spans(site, TRACE) == []
        gate.open.set()
        await response.read()
    (server,) = await spans(site, TRACE)
    assert server.name == "GET /v1/tasks/{id}/events"
    assert server.attributes["http.response.status_code"] == 200


async def test_polls_are_not_traced(site):
    """Probes, metrics and the page leave no spans; a request that says it is not sampled is counted, not kept."""
    before = site.service.runtime.telemetry.status().spans_finished
    for path in ("/healthz", "/readyz", "/metrics", "/", "/page/app.js"):
        await site.send("GET", path)
    assert site.service.runtime.telemetry.status().spans_finished == before
    await site.send("GET", "/v1/agents", headers={"traceparent": f"00-{TRACE}-{PARENT}-00"})
    assert site.service.runtime.telemetry.status().spans_finished == before + 1
    assert await spans(site, TRACE) == []


@pytest.mark.parametrize("bad", ["nonsense", f"00-{'0' * 32}-{PARENT}-01", f"00-{TRACE}-{PARENT}", "ff" * 200])
async def test_a_traceparent_that_is_none_starts_a_trace(site, bad):
    """A broken traceparent is ignored, as the W3C says; the request has a trace of its own."""
    body = {"capability": "echo.nothing"}
    response, task = await site.send("POST", "/v1/tasks", json=body, headers={"traceparent": bad})
    assert response.status in (200, 202)
    assert task["trace_id"] != TRACE


async def test_headers_that_are_not_text_are_traced_safely(site):
    """A header's bytes that are not UTF-8 reach neither the exporter nor the answer as such."""
    request = b"GET /v1/agents HTTP/1.1\r\nHost: localhost:1\r\nUser-Agent: \xff\xfe\r\nConnection: close\r\n"
    answer = await site.raw(request + f"traceparent: 00-{TRACE}-{PARENT}-01\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 200")
    (server,) = await spans(site, TRACE)
    server.attributes["user_agent.original"].encode()


class Reader(Agent):
    """Reads the baggage it was given."""

    name = "reader"

    @capability("reader.who")
    async def who(self, ctx: Context) -> str:
        """The caller's tenant."""
        return str(baggage.get_baggage("tenant"))


async def test_baggage_reaches_the_agents(serve):
    """What the caller's baggage holds is there for what the agents call."""
    before = propagate.get_global_textmap()
    propagate.set_global_textmap(CompositePropagator([TraceContextTextMapPropagator(), W3CBaggagePropagator()]))
    try:
        async with serve(Reader()) as site:
            headers = {"baggage": "tenant=acme", "Prefer": "wait=10"}
            _, task = await site.send("POST", "/v1/tasks", json={"capability": "reader.who"}, headers=headers)
            assert task["result"] == "acme"
    finally:
        propagate.set_global_textmap(before)

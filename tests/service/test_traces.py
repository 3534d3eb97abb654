"""Traces over HTTP: what ended can be found, opened with its critical path, and taken away as OTLP."""

import asyncio

import pytest

from pea.service.traces_json import trace_json
from pea.service.traces_query import duration_ns, tags
from pea.telemetry import SpanView


async def found(site, query=""):
    """The traces of a search, once all that has ended is stored."""
    from pea.service.chronicle import HOLDER

    await site.service.runtime.telemetry.flush()
    await asyncio.to_thread(site.service.app[HOLDER].chronicle.flush)
    response, body = await site.send("GET", f"/v1/traces/search{query}")
    assert response.status == 200, body
    return body["traces"]


async def test_a_task_is_found_and_opened(site):
    """A task's trace says what was asked for, has its agents, and a path as long as the trace."""
    task = await site.task("echo.relay", words="hello")
    (summary,) = [one for one in await found(site) if one["trace_id"] == task["trace_id"]]
    assert (summary["capability"], summary["errors"]) == ("echo.relay", 0)
    _, trace = await site.send("GET", f"/v1/traces/{task['trace_id']}")
    assert [row["name"] for row in trace["rows"]][:2] == ["POST /v1/tasks", "task echo.relay"]
    assert {node["name"] for node in trace["nodes"] if node["agent"]} == {"echo", "gate"}
    assert {"source": "echo", "target": "gate", "calls": 1, "errors": 0} in trace["edges"]
    waited = sum(end - start for row in trace["rows"] for start, end in row.get("critical", ()))
    assert waited == pytest.approx(trace["duration_us"], abs=0.01)
    assert trace["rows"][0]["inside"] == len(trace["rows"]) - 1


async def test_errors_only(site):
    """A search for errors finds the trace that failed, and not the other."""
    bad, good = await site.task("echo.fail", reason="no"), await site.task("echo.say", words="yes")
    ids = {one["trace_id"] for one in await found(site, "?error=true&since=1h")}
    assert bad["trace_id"] in ids
    assert good["trace_id"] not in ids


async def test_by_attribute(site):
    """Attributes are asked for as key=value."""
    task = await site.task("echo.say", words="yes")
    assert {one["trace_id"] for one in await found(site, "?tags=gen_ai.agent.name%3Decho")} >= {task["trace_id"]}
    assert await found(site, "?tags=gen_ai.agent.name%3Dnobody") == []


async def test_a_trace_can_be_seen_at_once(site):
    """Before it is written a trace is shown from memory."""
    task = await site.task("echo.say", words="yes")
    await site.service.runtime.telemetry.flush()
    response, trace = await site.send("GET", f"/v1/traces/{task['trace_id']}")
    assert response.status == 200
    assert trace["capability"] == "echo.say"


async def test_otlp(site):
    """The download is an OTLP message with every span of the trace."""
    task = await site.task("echo.relay", words="hello")
    await found(site)
    _, trace = await site.send("GET", f"/v1/traces/{task['trace_id']}")
    response, body = await site.send("GET", f"/v1/traces/{task['trace_id']}/otlp")
    assert "attachment" in response.headers["Content-Disposition"]
    spans = [span for one in body["resourceSpans"] for scope in one["scopeSpans"] for span in scope["spans"]]
    assert len(spans) == trace["spans"]


@pytest.mark.parametrize(
    "path", ["/v1/traces/1234", "/v1/traces/xyz", "/v1/traces/1234/otlp", f"/v1/traces/{'9' * 33}"]
)
async def test_unknown(site, path):
    """What is not there, or no trace id at all, is a 404 that says so."""
    response, problem = await site.send("GET", path)
    assert response.status == 404
    assert problem["type"] == "/problems/unknown_trace"


@pytest.mark.parametrize("query", ["?min=fast", "?limit=0", "?error=maybe", "?tags=key", "?colour=red", "?start_ms=-1"])
async def test_bad_parameters(site, query):
    """A parameter that cannot be read is a 400 that names it."""
    response, problem = await site.send("GET", f"/v1/traces/search{query}")
    assert response.status == 400
    assert problem["where"] == query[1:].partition("=")[0]


def test_tags_and_durations():
    """Values with blanks are quoted; durations have a unit."""
    assert tags('a.b=1 c="two words" d=') == {"a.b": "1", "c": "two words", "d": ""}
    assert [duration_ns(text) for text in (None, "5us", "1.5ms", "2s", "1d")] == [
        0,
        5_000,
        1_500_000,
        2 * 10**9,
        86_400 * 10**9,
    ]


def test_lookups_are_ticks():
    """Cache lookups are marks on the span that made them, not rows; a lookup that failed is a row."""

    def span(name: str, number: int, parent: str, status: str = "unset", **attributes: str) -> SpanView:
        return SpanView("t", f"{number}", parent, name, "internal", number * 1_000, 99_000, attributes, status)

    about = {"pea.cache.tier": "l2", "pea.cache.name": "mail"}
    spans = [span("root", 1, ""), span("cache.lookup mail", 2, "1", **about), span("cache.lookup x", 3, "1", "error")]
    trace = trace_json(spans, {})
    assert [row.name for row in trace.rows] == ["root", "cache.lookup x"]
    assert [(tick.cache, tick.tier, tick.at_us) for tick in trace.rows[0].ticks] == [("mail", "l2", 1.0)]
    assert trace.spans == 3

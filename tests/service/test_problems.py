"""Every error is a problem (RFC 9457): its type, its status, where it is, and what to do."""

import asyncio
import gzip
import json

import pytest
from aiohttp import web

from pea.service import body as body_module
from pea.service import connection
from pea.service.problems import KINDS, answer_status

JSON = {"Content-Type": "application/json"}
SAY = {"capability": "echo.say", "input": {"words": "a"}}


def body(**changes):
    """A submission as bytes, with some of it changed."""
    return json.dumps({**SAY, **changes}).encode()


@pytest.mark.parametrize(
    ("data", "status", "kind", "where"),
    [
        pytest.param(b"", 400, "malformed_json", "body, line 1, column 1", id="empty"),
        pytest.param(
            b'{"capability": "echo.say",\n "input": }', 400, "malformed_json", "body, line 2, column 11", id="broken"
        ),
        pytest.param(b'{"capability": "\xff"}', 400, "malformed_json", "body, byte 16", id="not UTF-8"),
        pytest.param(b"[" * 900 + b"]" * 900, 400, "malformed_json", "body", id="deep"),
        pytest.param(b"[" * 200_000, 400, "malformed_json", "body", id="very deep"),
        pytest.param(
            b'{"capability": "a.b", "capability": "echo.say"}',
            400,
            "malformed_json",
            "key 'capability'",
            id="duplicate",
        ),
        pytest.param(b'{"capability": "echo.say", "input": {"words": NaN}}', 400, "malformed_json", "body", id="NaN"),
        pytest.param(b'{"capability": "echo.say", "input": {"n": 1e999}}', 400, "malformed_json", "body", id="1e999"),
        pytest.param(b'{"n": ' + b"9" * 5_000 + b"}", 400, "malformed_json", "body", id="long integer"),
        pytest.param(b'{"capability": "\\ud800"}', 400, "malformed_json", "body", id="half a pair"),
        pytest.param(b"[]", 400, "invalid_input", "body", id="not an object"),
        pytest.param(b"{}", 400, "invalid_input", "capability", id="nothing"),
        pytest.param(body(capability=7), 400, "invalid_input", "capability", id="capability a number"),
        pytest.param(body(capability="x" * 201), 400, "invalid_input", "capability", id="capability too long"),
        pytest.param(body(input=[]), 400, "invalid_input", "input", id="input a list"),
        pytest.param(body(prioritty="low"), 400, "invalid_input", "prioritty", id="unknown field"),
        pytest.param(body(priority="urgent"), 400, "invalid_input", "priority", id="unknown priority"),
        pytest.param(body(deadline_ms=0), 400, "invalid_input", "deadline_ms", id="deadline now"),
        pytest.param(body(deadline_ms=-5), 400, "invalid_input", "deadline_ms", id="deadline past"),
        pytest.param(body(deadline_ms=10**15), 400, "invalid_input", "deadline_ms", id="deadline too far"),
        pytest.param(body(deadline_ms="soon"), 400, "invalid_input", "deadline_ms", id="deadline a word"),
        pytest.param(body(input={"word": "a"}), 400, "invalid_input", "word", id="wrong field"),
        pytest.param(body(input={}), 400, "invalid_input", "words", id="missing field"),
        pytest.param(body(input={"words": 1}), 400, "invalid_input", "words", id="wrong type"),
        pytest.param(body(input={"words": "a", "times": 10**30}), 400, "invalid_input", "times", id="huge number"),
        pytest.param(body(capability="echo.sya"), 404, "unknown_capability", None, id="unknown capability"),
        pytest.param(b" " * 70_000, 413, "body_too_large", None, id="too large"),
    ],
)
async def test_a_body_that_cannot_be_served(serve, agents, data, status, kind, where):
    """Each way in which a submission can be wrong has its own problem, which names the place."""
    async with serve(agents["echo"](), service__max_body="64KiB") as site:
        if len(data) > 100_000:
            data = data[: 64 << 10]
        response, problem = await site.send("POST", "/v1/tasks", data=data, headers=JSON)
        assert (response.status, problem["status"]) == (status, status)
        assert response.content_type == "application/problem+json"
        assert problem["type"] == f"/problems/{kind}"
        assert problem.get("where") == where
        assert problem["instance"] == "/v1/tasks"
        assert len(problem["trace_id"]) == 32
        _, listed = await site.send("GET", "/v1/tasks")
        assert listed["tasks"] == []  # what was refused is no task


async def test_the_fix_names_the_nearest(site):
    """A misspelt name is answered with what was probably meant."""
    for wrong, near in [({"capability": "echo.sya"}, "'echo.say'"), ({**SAY, "prioritty": "low"}, "'priority'")]:
        _, problem = await site.send("POST", "/v1/tasks", json=wrong)
        assert near in problem["fix"]
    _, problem = await site.send("GET", "/v1/agents/ecko")
    assert problem["type"] == "/problems/unknown_agent"
    assert "'echo'" in problem["fix"]


@pytest.mark.parametrize(
    ("headers", "where"),
    [
        ({"Content-Type": "text/plain"}, "Content-Type"),
        ({"Content-Type": "application/x-www-form-urlencoded"}, "Content-Type"),
        ({"Content-Type": "application/octet-stream"}, "Content-Type"),
        (JSON | {"Content-Encoding": "gzip"}, "Content-Encoding"),
        (JSON | {"Content-Encoding": "zstd, br"}, "Content-Encoding"),
    ],
)
async def test_only_plain_json_is_read(site, headers, where):
    """A form that another site's page could send, and a body that could be a decompression bomb, are not read."""
    response, problem = await site.send("POST", "/v1/tasks", data=gzip.compress(body()), headers=headers)
    assert (response.status, problem["where"]) == (415, where)


async def test_a_chunked_body_is_bounded_too(serve, agents):
    """A body that does not tell its length is cut off at the limit."""

    async def endless():
        for _ in range(1_000):
            yield b" " * 1_024

    async with serve(agents["echo"](), service__max_body="4KiB") as site:
        response, _ = await site.send("POST", "/v1/tasks", data=endless(), headers=JSON)
        assert response.status == 413
        assert (await site.task("echo.say", words="still here"))["result"] == "still here"


async def test_a_broken_chunk_is_a_problem(site):
    """A body that is not framed as HTTP says is refused, and the connection with it."""
    head = b"POST /v1/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    answer = await site.raw(head + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\nZZ\r\n")
    assert b" 400 Bad Request" in answer
    assert b"/problems/malformed_request" in answer


async def test_a_body_that_does_not_come_is_given_up(site, monkeypatch):
    """A client that announces a body and does not send it does not hold its connection for ever."""
    monkeypatch.setattr(body_module, "READ_TIMEOUT_S", 0.01)
    monkeypatch.setattr(connection, "LINGER_S", 0.01)
    head = b"POST /v1/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n"
    reader, writer = await asyncio.open_connection(*site.service.url.removeprefix("http://").split(":"))
    writer.write(head + b"Connection: close\r\n\r\n{")
    assert b" 408 " in await reader.readuntil(b"\r\n")
    writer.close()
    await writer.wait_closed()


async def test_a_client_that_leaves_is_no_fault(site, capsys):
    """A client that goes away in the middle of its body is nobody's error: nothing is logged, the service serves on."""
    head = b"POST /v1/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
    server = site.service._runner.server
    before = server.requests_count
    _, writer = await asyncio.open_connection(*site.service.url.removeprefix("http://").split(":"))
    writer.write(head)
    while server.requests_count == before:
        await asyncio.sleep(0)
    writer.close()
    await writer.wait_closed()
    assert (await site.task("echo.say", words="a"))["result"] == "a"
    assert "error" not in capsys.readouterr().out


async def test_a_body_is_asked_for_only_when_it_may_come(site):
    """`Expect: 100-continue` is answered before the body; what else a client expects is ignored."""
    data = body()
    head = b"POST /v1/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
    fits = head + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(data)
    answer = await site.raw(fits + data)
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Accepted")
    odd = head + b"Expect: the-unexpected\r\nContent-Length: %d\r\n\r\n" % len(data)
    assert (await site.raw(odd + data)).startswith(b"HTTP/1.1 202")


async def test_what_breaks_outside_every_route_is_a_problem_too(site, monkeypatch):
    """A fault in the routing itself is a 500 like any other."""

    async def broken(request):
        raise RuntimeError("the word is swordfish")

    monkeypatch.setattr(site.service.app.router, "resolve", broken)
    response, problem = await site.send("GET", "/healthz")
    assert (response.status, problem["type"]) == (500, "/problems/internal")
    assert "swordfish" not in json.dumps(problem)


def test_an_error_of_aiohttps_own_is_a_problem_by_its_status():
    """What has no kind of its own is told by its status alone."""
    answer = answer_status(web.HTTPUpgradeRequired(), "/v1/tasks")
    assert answer.status == 426
    problem = json.loads(answer.body)
    assert (problem["type"], problem["title"], problem["instance"]) == ("about:blank", "Upgrade Required", "/v1/tasks")


@pytest.mark.parametrize(
    "data",
    [
        b"what is this\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 20_000 + b"\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost : localhost\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_a_problem(site, data):
    """Even what no route ever sees is answered in problem details."""
    answer = await site.raw(data)
    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400"))
    assert b"application/problem+json" in answer
    assert b"Traceback" not in answer


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/v1/nothing", 404, "no_such_route"),
        ("GET", "/v1/tasks/", 404, "no_such_route"),
        ("GET", "/v1/tasks/%00%ff/events", 404, "unknown_task"),
        ("GET", "/v1/agents/nobody", 404, "unknown_agent"),
        ("GET", "/problems/nothing", 404, "no_such_route"),
        ("PATCH", "/v1/tasks", 405, "method_not_allowed"),
        ("PROPFIND", "/v1/tasks", 405, "method_not_allowed"),
        ("BREW", "/v1/tasks", 400, "malformed_request"),
        ("OPTIONS", "/v1/tasks", 405, "method_not_allowed"),
        ("GET", "/v1/agents?verbose=1", 400, "bad_parameter"),
    ],
)
async def test_what_is_not_there(site, method, path, status, kind):
    """A path, a method or a parameter that does not exist is said to be just that."""
    response, problem = await site.send(method, path)
    assert (response.status, problem["type"]) == (status, f"/problems/{kind}")
    assert (status == 405) == ("Allow" in response.headers)


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("text/html", 406),
        ("application/json;q=0", 406),
        ("text/*, application/json;q=0, */*;q=0.1", 406),
        ("text/html, application/*;q=0.2", 200),
        ("*/*", 200),
        ("application/problem+json", 406),
    ],
)
async def test_accept_is_respected(site, accept, status):
    """Who cannot read JSON is told so rather than given it."""
    response, _ = await site.send("GET", "/v1/agents", headers={"Accept": accept})
    assert response.status == status


async def test_overload_says_when_to_come_back(serve, agents):
    """Past the queue a submission is refused with Retry-After; what was accepted is done."""
    gate = agents["gate"]()
    async with serve(gate, runtime__concurrency=1, runtime__queue=2) as site:
        accepted = [await site.task("gate.hold", wait=None) for _ in range(3)]
        response, problem = await site.send("POST", "/v1/tasks", json={"capability": "gate.hold", "input": {}})
        assert (response.status, problem["type"]) == (429, "/problems/overloaded")
        assert int(response.headers["Retry-After"]) >= 1
        gate.open.set()
        for task in accepted:
            ended = await site.service.runtime.scheduler.wait(task["id"])
            assert ended.state == "succeeded"


async def test_an_agent_that_did_not_start_is_unavailable(serve, agents):
    """A capability whose agent failed to start answers 503 with the reason; the other agents serve."""
    async with serve(agents["broken"](), agents["echo"]()) as site:
        response, problem = await site.send("POST", "/v1/tasks", json={"capability": "broken.work", "input": {}})
        assert (response.status, problem["type"]) == (503, "/problems/agent_unavailable")
        assert "the disk is gone" in problem["detail"]
        assert (await site.task("echo.say", words="a"))["result"] == "a"


async def test_a_fault_tells_the_client_nothing_but_its_trace(site, monkeypatch):
    """An exception nobody foresaw is a 500 without its text, and the next request is served."""

    def explode(*args, **kwargs):
        raise RuntimeError("the word is swordfish")

    monkeypatch.setattr(site.service.runtime.telemetry, "gather_figures", explode)
    response, problem = await site.send("GET", "/v1/agents")
    assert (response.status, problem["type"]) == (500, "/problems/internal")
    assert "swordfish" not in json.dumps(problem)
    assert len(problem["trace_id"]) == 32
    assert (await site.send("GET", "/healthz"))[0].status == 200


async def test_every_type_leads_to_what_it_means(site):
    """The `type` of a problem is a URI that explains it."""
    for code, kind in KINDS.items():
        response, shown = await site.send("GET", f"/problems/{code}")
        assert response.status == 200
        assert shown["status"] == kind.status
        assert shown["meaning"]

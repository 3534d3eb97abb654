"""`pea doctor --stack` on what programs answer that Debian has no package of: Grafana, Jaeger, the Collector.

The answers are those of Grafana 12's, Jaeger 2's and the Collector 0.155's HTTP APIs.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import formatdate
from typing import Any

import pytest
from aiohttp import web
from click.testing import CliRunner

from pea.cli import doctor
from pea.cli.doctor_finding import Finding
from pea.cli.doctor_stack import _shipped_boards, _shipped_rules, examine
from pea.service.operation import Handler

Answers = dict[str, Any]
GRAFANA: Answers = {
    "/api/health": {"database": "ok", "version": "12.1.0"},
    "/api/search": [{"uid": uid} for uid in _shipped_boards()],
    "/api/datasources": [
        {"uid": "prometheus", "name": "Prometheus", "type": "prometheus", "url": "http://p:9090",
         "jsonData": {"exemplarTraceIdDestinations": [{"name": "trace_id"}]}},
        {"uid": "pea", "name": "PEA", "type": "jaeger", "url": "http://pea:8080"},
    ],
    "/api/datasources/uid/prometheus/health": {"status": "OK", "message": "Successfully queried"},
    "/api/datasources/uid/pea/health": {"status": "OK", "message": "Data source connected"},
}  # fmt: skip
PROMETHEUS: Answers = {
    "/api/v1/status/buildinfo": {"data": {"version": "3.5.0"}},
    "/api/v1/status/flags": {"data": {"enable-feature": "exemplar-storage"}},
    "/api/v1/targets": {"data": {"activeTargets": [
        {"labels": {"job": "pea"}, "health": "up", "scrapeUrl": "http://pea:8080/metrics"}]}},
    "/api/v1/query_exemplars": {"data": [{"exemplars": [{"labels": {"trace_id": "1"}}]}]},
    "/api/v1/rules": {"data": {"groups": [{"rules": [{"name": name, "health": "ok"} for name in _shipped_rules()]}]}},
    "/api/v1/alertmanagers": {"data": {"activeAlertmanagers": [{"url": "http://am:9093/api/v2/alerts"}]}},
    "/api/v1/query": {"data": {"result": []}},
}  # fmt: skip
JAEGER: Answers = {
    "/api/v3/services": {"services": ["pea", "travel-bot"]},
    "/api/metrics/calls": {"metrics": [{"labels": []}]},
}
COLLECTOR: Answers = {"/status": {"status": "StatusOK", "healthy": True}}


@asynccontextmanager
async def serving(answers: Answers, **headers: str) -> AsyncIterator[str]:
    """A server with these answers by path, and 404 for all else; a number is a status."""

    async def answer(request: web.Request) -> web.Response:
        found = answers.get(request.path, 404)
        if isinstance(found, int):
            return web.json_response({"message": "no"}, status=found, headers=headers)
        return web.json_response(found, headers=headers)

    async with at(answer) as url:
        yield url


@asynccontextmanager
async def at(answer: Handler) -> AsyncIterator[str]:
    """A server whose every path is this handler's."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def found(answers: Answers, **headers: str) -> dict[str, Finding]:
    """What is found at a server with these answers; the server itself is ``place``."""
    async with serving(answers, **headers) as url:
        return {one.what.replace(url, "place"): one for one in await examine([url])}


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        (GRAFANA, "Grafana 12.1.0"),
        (PROMETHEUS, "Prometheus 3.5.0"),
        (JAEGER, "Jaeger"),
        (COLLECTOR, "Collector"),
        ({"/": {"status": "Server available"}}, "Collector"),
        ({"/api/v2/status": {"versionInfo": {"version": "0.28"}, "config": {"original": ""}}}, "Alertmanager 0.28"),
    ],
)
async def test_each_program_is_recognised(answers: Answers, kind: str) -> None:
    """By what its API answers, whatever its port."""
    said = await found(answers)
    assert (said["place"].verdict, said["place"].detail) == ("ok", kind)


@pytest.mark.parametrize(
    "answers", [{}, {"/": {"hello": "world"}}, {"/readyz": [1]}, {"/api/health": "ok"}, {"/status": 500}]
)
async def test_what_is_none_of_them_is_said_to_be_none(answers: Answers) -> None:
    """A server that answers something else is missing, not taken for a program."""
    said = await found(answers)
    assert said["place"].verdict == "missing"
    assert "none of PEA" in said["place"].detail


async def test_silence_is_missing_where_it_was_named() -> None:
    """An address that was given must answer."""
    (silent, pea) = await examine(["http://127.0.0.1:1"])
    assert (silent.verdict, silent.detail) == ("missing", "nothing answers")
    assert (pea.what, pea.verdict) == ("PEA", "missing")


@pytest.mark.parametrize(
    ("offset_s", "verdict", "word"), [(0, "ok", ""), (60, "missing", "ahead"), (-60, "missing", "behind")]
)
async def test_a_clock_that_goes_wrong_is_named(offset_s: float, verdict: str, word: str) -> None:
    """A minute apart, alerts and traces would not lie beside each other."""
    said = await found(COLLECTOR, Date=formatdate(time.time() + offset_s, usegmt=True))
    assert said["place"].verdict == verdict
    assert word in said["place"].detail


def without(answers: Answers, path: str, instead: Any = 404) -> Answers:
    return {**answers, path: instead}


@pytest.mark.parametrize(
    ("answers", "what", "verdict", "says"),
    [
        (GRAFANA, "Grafana dashboards", "ok", "all 6"),
        (without(GRAFANA, "/api/search", [{"uid": "pea-fleet"}]), "Grafana dashboards", "missing", "pea-cache"),
        (without(GRAFANA, "/api/search", 401), "Grafana", "note", "token"),
        (without(GRAFANA, "/api/datasources", []), "Grafana data source jaeger", "missing", "none"),
        (
            without(GRAFANA, "/api/datasources/uid/prometheus/health", 400),
            "Grafana data source prometheus",
            "missing",
            "http://p:9090",
        ),
        (
            without(GRAFANA, "/api/datasources", [{"uid": "prometheus", "type": "prometheus", "jsonData": {}}]),
            "Grafana data source prometheus",
            "note",
            "no trace",
        ),
        (PROMETHEUS, "Prometheus rules", "ok", "all"),
        (PROMETHEUS, "Prometheus scrapes PEA", "ok", "pea:8080"),
        (
            without(
                PROMETHEUS,
                "/api/v1/targets",
                {"data": {"activeTargets": [
                    {"labels": {"job": "pea"}, "health": "down", "lastError": "refused", "scrapeUrl": "http://x/metrics"}
                ]}},
            ),
            "Prometheus scrapes PEA",
            "missing",
            "refused",
        ),
        (without(PROMETHEUS, "/api/v1/query_exemplars", {"data": []}), "Prometheus exemplars", "note", "none of PEA"),
        (
            without(
                PROMETHEUS,
                "/api/v1/rules",
                {"data": {"groups": [{"rules": [{"name": "breaker-open", "health": "err", "lastError": "twice"}]}]}},
            ),
            "Prometheus rules",
            "missing",
            "twice",
        ),
        (JAEGER, "Jaeger traces", "ok", "travel-bot"),
        (without(JAEGER, "/api/v3/services", {"services": []}), "Jaeger traces", "missing", "none"),
        (without(JAEGER, "/api/metrics/calls", 501), "Jaeger Monitor", "note", "no store"),
        (without(JAEGER, "/api/metrics/calls", {"metrics": []}), "Jaeger Monitor", "note", "no figures"),
        (without(COLLECTOR, "/status", {"status": "StatusPermanentError"}), "Collector", "missing", "Permanent"),
    ],
)  # fmt: skip
async def test_what_does_not_fit_is_said_in_words(answers: Answers, what: str, verdict: str, says: str) -> None:
    """Each fault has its own sentence, and what is missing says what to do."""
    said = (await found(answers))[what]
    assert said.verdict == verdict, said
    assert says in said.detail
    assert said.fix or verdict == "ok"


async def test_the_collector_must_be_scraped_too() -> None:
    """With both at hand it is said that Prometheus does not read what the Collector counted."""
    async with serving(COLLECTOR) as collector, serving(PROMETHEUS) as prometheus:
        said = {one.what: one for one in await examine([collector, prometheus])}
    assert said["Prometheus scrapes the Collector"].verdict == "note"


def test_addresses_without_stack_are_wrong_use() -> None:
    """Exit code 2, and the right form."""
    done = CliRunner().invoke(doctor.command, ["http://127.0.0.1:8080"])
    assert done.exit_code == 2
    assert "--stack URL" in done.output


PEA: Answers = {"/readyz": {"status": "ready", "agents": 15, "unavailable": {}, "started_ms": 400.0}}


@pytest.mark.parametrize("token", [None, "pea_x"])
async def test_a_service_that_asks_for_tokens_is_shown_one(monkeypatch: pytest.MonkeyPatch, token: str | None) -> None:
    """PEA_TOKEN goes with what PEA is asked; without it the doctor says that it needs one, and guesses nothing."""
    monkeypatch.delenv("PEA_TOKEN_FILE", raising=False)
    monkeypatch.delenv("PEA_TOKEN", raising=False)
    if token is not None:
        monkeypatch.setenv("PEA_TOKEN", token)

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/readyz":
            return web.json_response(PEA["/readyz"])
        known = request.headers.get("Authorization") == "Bearer pea_x"
        return web.json_response({}, status=200 if known else 401)

    async with at(answer) as url:
        said = {one.what: one for one in await examine([url])}
    assert said["PEA agents"].verdict == "ok"
    assert ("PEA access" in said, "PEA detector" in said) == ((True, False) if token is None else (False, True))


async def test_a_locked_service_that_starts_is_recognised() -> None:
    """To a stranger it does not say what it waits for, but that it is not ready."""
    problem = {"type": "/problems/not_ready", "detail": "it takes no tasks now"}

    async def answer(request: web.Request) -> web.Response:
        return web.json_response(problem if request.path == "/readyz" else {}, status=503)

    async with at(answer) as url:
        said = {one.what.replace(url, "place"): one for one in await examine([url])}
    assert said["place"].detail == "PEA"
    assert said["PEA agents"].detail == "not ready: it takes no tasks now"

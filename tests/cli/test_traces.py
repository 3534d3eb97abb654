"""``pea traces`` and ``pea top`` against a real service in a thread of its own."""

import asyncio
import io
import sqlite3
import threading
import time
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from pea import Agent, Context, Runtime, Settings, capability
from pea.cli.client import Unreachable
from pea.cli.top import command as top
from pea.cli.top import merged, screen, spark
from pea.cli.traces import command as traces
from pea.cli.traces import views
from pea.errors import PeaError
from pea.service import Service
from pea.service.chronicle import HOLDER
from pea.store import Query, SpanStore, Unreadable, opened
from pea.telemetry.record import Origin, SpanRecord


class Clerk(Agent):
    """Files papers."""

    name = "clerk"

    @capability("clerk.file")
    async def file(self, ctx: Context, paper: str) -> str:
        """File a paper."""
        if paper == "lost":
            raise LookupError("it is lost")
        return paper


@pytest.fixture(scope="module")
def url():
    """A service that has done two tasks, one of which failed."""
    ready, stop, found = threading.Event(), threading.Event(), {}

    async def serve() -> None:
        settings = msgspec.convert({"service": {"port": 0}}, Settings)
        async with Service(Runtime(settings, agents=[Clerk()])) as service:
            await service.ready()
            for paper in ("lost", "found"):
                await service.runtime.scheduler.run("clerk.file", {"paper": paper})
            await service.runtime.telemetry.flush()
            await asyncio.to_thread(service.app[HOLDER].chronicle.flush)
            found["url"] = service.url
            ready.set()
            await asyncio.to_thread(stop.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(20)
    yield found["url"]
    stop.set()
    thread.join(20)


def run(command, *words, code=0):
    """What a command prints, 200 columns wide."""
    result = CliRunner().invoke(command, words, env={"COLUMNS": "120"})
    assert result.exit_code == code, result.output
    return result.output


def test_a_list(url):
    """Traces are listed with what was asked for, and errors in words."""
    shown = run(traces, "--url", url)
    assert shown.count("clerk.file") == 2
    assert "failed" in shown


def test_errors_only(url):
    """--error leaves out what went well; --json gives what the service gave."""
    found = msgspec.json.decode(run(traces, "--url", url, "--error", "--json"))
    assert [trace["errors"] > 0 for trace in found["traces"]] == [True]


def test_a_waterfall(url):
    """A trace is drawn with where its time went, and where the page of it is."""
    (trace,) = msgspec.json.decode(run(traces, "--url", url, "--error", "--json"))["traces"]
    shown = run(traces, "--url", url, trace["trace_id"])
    assert "clerk.file" in shown
    assert "✗" in shown
    assert "where the time went" in shown
    assert f"/traces/{trace['trace_id']}" in shown


@pytest.mark.parametrize("tag", ["agent", "=x", 'a="b"'])
def test_a_tag_is_a_key_and_a_value(url, tag):
    """What is no KEY=VALUE is wrong use."""
    assert "KEY=VALUE" in run(traces, "--url", url, "--tag", tag, code=2)


def test_by_tag(url):
    """A tag narrows the list."""
    assert "clerk.file" in run(traces, "--url", url, "--tag", "gen_ai.agent.name=clerk")
    assert "no trace fits" in run(traces, "--url", url, "--tag", "gen_ai.agent.name=nobody")


def test_top_once(url):
    """Without a terminal the dashboard is shown once."""
    shown = run(top, "--url", url)
    for word in ("health", "clerk", "ready", "clerk.file", "failed"):
        assert word in shown
    assert msgspec.json.decode(run(top, "--url", url, "--json"))["overview"]["requests"] == 2


def test_lookups_are_drawn_as_spans():
    """Ticks of a trace become spans below the one that made them."""
    row = {"id": "1", "name": "root", "depth": 0, "inside": 0, "at_us": 0.0, "duration_us": 9.0, "self_us": 9.0}
    row["ticks"] = [{"cache": "mail", "tier": "l1", "at_us": 1.0, "duration_us": 0.5}]
    assert [(view.name, view.parent_id) for view in views({"trace_id": "t", "rows": [row]})] == [
        ("root", ""),
        ("cache.lookup mail (l1)", "1"),
    ]


def test_the_stream_is_merged():
    """A snapshot replaces everything, a delta what it has, and an agent that is null is gone."""
    parts = merged({"old": 1}, "snapshot", {"overview": 1, "agent/a": 1, "alerts": None})
    assert parts == {"overview": 1, "agent/a": 1, "alerts": None}
    assert merged(parts, "delta", {"agent/a": None, "overview": 2}) == {"overview": 2, "alerts": None}


@pytest.mark.parametrize(
    ("values", "shown"), [([], ""), ([None, 0.0, 1.0, 8.0], " ▁▂█"), ([0.0, 0.0], "▁▁"), ([1.0] * 50, "█" * 20)]
)
def test_spark(values, shown):
    """As high as the highest, at most twenty columns."""
    assert spark(values) == shown


def test_markup_in_names_is_text():
    """What others called their agents is shown as it stands, never obeyed."""
    nothing = dict.fromkeys(("p50_ms", "p95_ms", "p99_ms", "max_ms", "mean_ms"))
    row = {"name": "[red]a[/nope]", "state": None, "problem": "[b]", "window_calls": 0, "spark": [None]}
    row["metrics"] = {"response": nothing, "throughput": {}, "reliability": {"error_rate": None}, "trends": {}}
    overview = {"health": {"score": 100, "lowered_by": []}, "error_rate": None, "average_ms": None, "p95_ms": None}
    overview |= dict.fromkeys(("requests", "requests_per_s", "agents", "agents_active", "running", "queued"), 0)
    out = io.StringIO()
    Console(file=out, width=120).print(screen({"overview": overview, "agent/x": row}, "http://x", 120))
    assert "[red]a[/nope]" in out.getvalue()


@pytest.fixture
def left_behind(tmp_path: Path) -> Path:
    """The state folder of a service that has run: one trace in its store."""
    store = SpanStore(tmp_path / "chronicle" / "spans.db")
    now = time.time_ns()
    record = SpanRecord(
        trace_id=0xABC, span_id=1, name="task clerk.file", start_ns=now - 10**9, end_ns=now,
        attributes={"pea.capability": "clerk.file"}, origin=Origin("pea"), entry=True,
    )  # fmt: skip
    store.add([record])
    assert store.close()
    return tmp_path


def run_alone(state: Path, *arguments: str) -> Result:
    """The command where nothing answers at the configured port."""
    return CliRunner().invoke(traces, [*arguments, "--state", str(state)], env={"PEA_SERVICE__PORT": "1"})


def test_without_a_service_what_was_stored_is_read(left_behind: Path):
    """List and waterfall come from the state folder, which stays as it was; the answer says where it is from."""
    before = {path.name: path.read_bytes() for path in (left_behind / "chronicle").iterdir()}
    listed = run_alone(left_behind)
    assert listed.exit_code == 0, listed.output
    assert "clerk.file" in listed.output
    assert "read from" in listed.output
    shown = run_alone(left_behind, "abc")
    assert shown.exit_code == 0, shown.output
    assert "task clerk.file" in shown.output
    found = msgspec.json.decode(run_alone(left_behind, "--json", "--error").output)
    assert found["traces"] == []
    assert {path.name: path.read_bytes() for path in (left_behind / "chronicle").iterdir()} == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["def"], "no such trace is stored"),
        (["xyz"], "is not a trace id"),
        (["--min", "soon"], "min"),
    ],
)
def test_what_the_stored_traces_refuse(left_behind: Path, arguments: list[str], said: str):
    """The same mistakes are refused as the service refuses them."""
    result = run_alone(left_behind, *arguments)
    assert isinstance(result.exception, PeaError)
    assert said in str(result.exception)


def test_nothing_stored_and_no_service(tmp_path: Path):
    """Then the command says that no service answers."""
    result = run_alone(tmp_path)
    assert isinstance(result.exception, Unreachable)


def test_another_version_is_not_guessed_at(left_behind: Path):
    """A file that another version of PEA has written is left to the service."""
    with sqlite3.connect(left_behind / "chronicle" / "spans.db") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    result = run_alone(left_behind)
    assert isinstance(result.exception, Unreadable)


def test_a_running_writers_file_can_be_read(left_behind: Path):
    """While somebody writes, what is committed is seen: also what is still in the write-ahead log."""
    path = left_behind / "chronicle" / "spans.db"
    store = SpanStore(path)
    try:
        store.add(
            [SpanRecord(trace_id=5, span_id=1, name="late", start_ns=10**18, end_ns=10**18, origin=Origin("pea"))]
        )
        assert store.flush()
        with opened(path) as stored:
            assert {row.trace_id for row in stored.search(Query()).traces} == {5, 0xABC}
            assert [[span.name for span in spans] for spans in stored.get_many([5, 6])] == [["late"]]
            assert stored.linked(5) == []
    finally:
        store.close()

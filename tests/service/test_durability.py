"""The service's promise over HTTP: 202 is on the disk, answers outlive the process, and no disk means no 202."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from pea import Agent, Context, Runtime, capability
from pea.config import load
from pea.runtime.journal.tables import Tables
from pea.service import Service
from tests.service.conftest import Echo, Gate, Site


class Mover(Agent):
    """Moves things once somebody has said yes."""

    name = "mover"

    @capability("mover.move", resumable=True)
    async def move(self, ctx: Context, what: str) -> str:
        """Ask, then move."""
        return (await ctx.approve(f"Move {what}?", {"what": what})).key


@asynccontextmanager
async def serving(state: Path, *agents: Agent, concurrency: int = 64) -> AsyncIterator[Site]:
    """A service on a state folder."""
    own = {"state": str(state), "service.port": 0, "watch.on": False, "runtime.concurrency": concurrency}
    settings = load(environ={}, overrides=own)
    async with Service(Runtime(settings, agents=agents)) as service, aiohttp.ClientSession(service.url) as client:
        await service.ready()
        yield Site(service, client)


async def waiting(site: Site, what: str) -> Any:
    """A task that waits for approval."""
    task = await site.task("mover.move", wait=None, what=what)
    while task["status"] != "waiting_for_approval":
        _, task = await site.send("GET", f"/v1/tasks/{task['id']}")
    return task


async def test_answers_outlive_the_process(tmp_path: Path) -> None:
    """A task, its result and its idempotency key are there after a restart, and so is the list."""
    body = {"capability": "echo.say", "input": {"words": "hey"}}
    headers = {"Idempotency-Key": "k", "Prefer": "wait=10"}
    async with serving(tmp_path, Echo()) as site:
        _, first = await site.send("POST", "/v1/tasks", json=body, headers=headers)
        assert (first["result"], first["journaled"], first["runs"]) == ("hey", True, 1)
    async with serving(tmp_path, Echo()) as site:
        response, again = await site.send("POST", "/v1/tasks", json=body, headers=headers)
        assert (response.status, again) == (200, first)
        _, shown = await site.send("GET", f"/v1/tasks/{first['id']}")
        assert shown == first
        for query in ("", "?all=true", "?all=true&status=succeeded&agent=echo"):
            _, page = await site.send("GET", f"/v1/tasks{query}")
            assert [task["id"] for task in page["tasks"]] == [first["id"]]


async def test_no_promise_without_a_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk a task is answered with 503 and what to do; reads go on, and it heals by itself."""
    full = True
    apply = Tables.apply

    def failing(tables: Tables, entries: Any) -> None:
        if full:
            raise sqlite3.OperationalError("database or disk is full")
        apply(tables, entries)

    body = {"capability": "echo.say", "input": {"words": "hey"}}
    async with serving(tmp_path, Echo()) as site:
        monkeypatch.setattr(Tables, "apply", failing)
        response, problem = await site.send("POST", "/v1/tasks", json=body)
        assert (response.status, problem["type"]) == (503, "/problems/journal_unavailable")
        assert problem["detail"] == "the journal cannot be written: database or disk is full"
        assert "make room on the disk" in problem["fix"]
        assert response.headers["Retry-After"]
        response, page = await site.send("GET", "/v1/tasks")
        assert (response.status, page["tasks"]) == (200, [])
        full = False
        response, _ = await site.send("POST", "/v1/tasks", json=body)
        assert response.status == 202


async def test_approve(tmp_path: Path) -> None:
    """A task that asks shows what; approved, it goes on with the approval's key; again changes nothing."""
    async with serving(tmp_path, Mover()) as site:
        task = await waiting(site, "a chair")
        (asked,) = task["approvals"]
        assert (asked["summary"], asked["details"], asked["decision"]) == ("Move a chair?", {"what": "a chair"}, None)
        response, _ = await site.send("POST", f"/v1/tasks/{task['id']}/approve", json={"by": "nora"})
        assert response.status == 202
        done = await site.service.runtime.scheduler.wait(task["id"])
        assert done.state == "succeeded"
        response, again = await site.send("POST", f"/v1/tasks/{task['id']}/approve")
        assert (response.status, again["result"], again["runs"]) == (200, asked["key"], 2)
        response, _ = await site.send("POST", f"/v1/tasks/{task['id']}/reject")
        assert response.status == 409


async def test_reject_after_a_restart(tmp_path: Path) -> None:
    """The question outlives the service; the answer no is told with its reason; events tell the whole life."""
    async with serving(tmp_path, Mover()) as site:
        task = await waiting(site, "a table")
    async with serving(tmp_path, Mover()) as site:
        path = f"/v1/tasks/{task['id']}"
        response, _ = await site.send("POST", f"{path}/reject", json={"reason": "too heavy"})
        assert response.status == 202
        await site.service.runtime.scheduler.wait(task["id"])
        _, ended = await site.send("GET", path)
        assert (ended["status"], ended["error"]["code"], ended["error"]["message"]) == (
            "failed",
            "rejected",
            "too heavy",
        )
        async with site.client.get(f"{path}/events") as events:
            text = await events.text()
        states = [line.removeprefix("event: ") for line in text.splitlines() if line.startswith("event: ")]
        assert states == ["queued", "running", "waiting_for_approval", "queued", "running", "failed"]


async def test_decision_that_fits_nothing(tmp_path: Path) -> None:
    """Unknown tasks, tasks that ask nothing and bodies that are wrong are refused as such."""
    async with serving(tmp_path, Echo()) as site:
        task = await site.task("echo.say", words="hey")
        path = f"/v1/tasks/{task['id']}/approve"
        response, problem = await site.send("POST", path)
        assert (response.status, problem["detail"]) == (409, "asks for no approval")
        response, problem = await site.send("POST", path, json={"approval": "x"})
        assert (response.status, problem["where"]) == (400, "approval")
        response, _ = await site.send("POST", f"/v1/tasks/{'0' * 24}/approve")
        assert response.status == 404


async def test_shutdown_hands_tasks_to_the_next_start(tmp_path: Path) -> None:
    """A task that waits for its turn when the service stops has it after the start."""
    async with serving(tmp_path, gate := Gate(), Echo(), concurrency=1) as site:
        await site.task("gate.hold", wait=None)
        await gate.waiting.wait()
        queued = await site.task("echo.say", wait=None, words="later")
        assert queued["status"] == "queued"
        await site.service.close(0.01)
    async with serving(tmp_path, Gate(), Echo()) as site:
        done = await site.service.runtime.scheduler.wait(queued["id"])
        assert bytes(done.result or b"") == b'"later"'

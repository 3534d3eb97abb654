"""``pea tasks``: submit, list, show, approve, reject and cancel tasks of a running service."""

from __future__ import annotations

import sys
from typing import Any

import click
import msgspec
from rich.table import Table

from pea.cli.arguments import parse
from pea.cli.client import address, request
from pea.cli.options import as_json, settings_options
from pea.cli.present import console, show_json, show_result
from pea.config import Settings
from pea.errors import UnknownCapability, did_you_mean

_STATE_STYLES = {
    "succeeded": "green",
    "failed": "red",
    "timed_out": "red",
    "cancelled": "yellow",
    "running": "cyan",
} | {"waiting_for_approval": "magenta"}
_url = click.option("--url", envvar="PEA_URL", help="The service's address (default: the configured one).")


@click.group("tasks")
def command() -> None:
    """Submit, list, show, approve, reject and cancel tasks of a running service."""


@command.command("submit")
@click.argument("capability")
@click.argument("words", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--input", "text", metavar="JSON", help="The whole input as a JSON object.")
@click.option("--priority", type=click.Choice(["low", "normal", "high", "critical"]))
@click.option("--deadline", "deadline_s", type=float, metavar="SECONDS", help="How long it may take.")
@click.option("--wait", "wait_s", type=float, metavar="SECONDS", help="Wait this long for the result.")
@click.option("--key", metavar="KEY", help="Idempotency key: the same key gives the same task.")
@_url
@as_json
@settings_options
def submit(
    settings: Settings,
    capability: str,
    words: tuple[str, ...],
    text: str | None,
    priority: str | None,
    deadline_s: float | None,
    wait_s: float | None,
    key: str | None,
    url: str | None,
    as_json: bool,
) -> None:
    """Submit a task for CAPABILITY."""
    base = address(settings, url)
    offered = {one["name"]: one for one in request(base, "GET", "/v1/capabilities")["capabilities"]}
    if capability not in offered:
        raise UnknownCapability(f"no agent offers {capability!r}", fix=did_you_mean(capability, offered))
    body: dict[str, Any] = {"capability": capability, "input": parse(words, text, offered[capability]["input"])}
    if priority is not None:
        body["priority"] = priority
    if deadline_s is not None:
        body["deadline_ms"] = round(deadline_s * 1000)
    headers = {} if key is None else {"Idempotency-Key": key}
    if wait_s is not None:
        headers["Prefer"] = f"wait={wait_s:g}"
    task = request(base, "POST", "/v1/tasks", body=body, headers=headers, timeout_s=30.0 + (wait_s or 0.0))
    _present(task, as_json=as_json)


@command.command("list")
@click.option("--status", help="Only tasks in this state.")
@click.option("--priority", help="Only tasks of this priority.")
@click.option("--agent", help="Only this agent's tasks.")
@click.option("--all", "everything", is_flag=True, help="Also those that only the journal remembers.")
@click.option("--limit", type=click.IntRange(1, 200), default=20, show_default=True)
@_url
@as_json
@settings_options
def list_tasks(
    settings: Settings,
    status: str | None,
    priority: str | None,
    agent: str | None,
    everything: bool,
    limit: int,
    url: str | None,
    as_json: bool,
) -> None:
    """List tasks, newest first."""
    query: dict[str, Any] = {"status": status, "priority": priority, "agent": agent, "limit": limit}
    if everything:
        query["all"] = "true"
    answer = request(address(settings, url), "GET", "/v1/tasks", query=query)
    if as_json:
        show_json(answer)
        return
    to = console()
    if not answer["tasks"]:
        to.print("no tasks")
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("id", "capability", "state", "priority", "created"):
        table.add_column(heading, no_wrap=True)
    table.add_column("took", justify="right")
    for task in answer["tasks"]:
        style = _STATE_STYLES.get(task["status"], "")
        took = f"{task['duration_ms']:,.0f} ms" if task.get("duration_ms") is not None else ""
        state = f"[{style}]{task['status']}[/]" if style else task["status"]
        table.add_row(task["id"], task["capability"], state, task["priority"], task["created"], took)
    to.print(table)


@command.command("show")
@click.argument("task_id")
@_url
@as_json
@settings_options
def show(settings: Settings, task_id: str, url: str | None, as_json: bool) -> None:
    """Show one task and its result."""
    _present(request(address(settings, url), "GET", f"/v1/tasks/{task_id}"), as_json=as_json)


@command.command("cancel")
@click.argument("task_id")
@_url
@as_json
@settings_options
def cancel(settings: Settings, task_id: str, url: str | None, as_json: bool) -> None:
    """Cancel a task that has not ended."""
    answer = request(address(settings, url), "DELETE", f"/v1/tasks/{task_id}")
    if as_json:
        show_json(answer)
    else:
        console().print(f"task {task_id} is being cancelled", markup=False)


def _decision(name: str, help_text: str) -> None:
    @command.command(name, help=help_text)
    @click.argument("task_id")
    @click.option("--approval", metavar="KEY", help="Which approval, when the task asks for several.")
    @click.option("--by", metavar="NAME", help="Who decides.")
    @click.option("--reason", metavar="TEXT", help="Why; a rejected task tells it.")
    @_url
    @as_json
    @settings_options
    def decide(
        settings: Settings,
        task_id: str,
        approval: str | None,
        by: str | None,
        reason: str | None,
        url: str | None,
        as_json: bool,
    ) -> None:
        given = {"approval": approval, "by": by, "reason": reason}
        body = {name: value for name, value in given.items() if value is not None}
        _present(request(address(settings, url), "POST", f"/v1/tasks/{task_id}/{name}", body=body), as_json=as_json)


@command.command("feedback")
@click.argument("task_id")
@click.option("--score", type=click.IntRange(1, 5), required=True, help="1: of no use, 5: just what was wanted.")
@click.option("--comment", default="", metavar="TEXT", help="What was good, or what was missing.")
@_url
@as_json
@settings_options
def feedback(settings: Settings, task_id: str, score: int, comment: str, url: str | None, as_json: bool) -> None:
    """Say what you think of a task's result; it counts towards user satisfaction."""
    body = {"score": score, "comment": comment}
    answer = request(address(settings, url), "POST", f"/v1/tasks/{task_id}/feedback", body=body)
    if as_json:
        show_json(answer)
        return
    told = f"{answer['agent']}: {answer['satisfaction']:.0%} satisfied over {answer['opinions']} scored tasks"
    console().print(told, markup=False)


_decision("approve", "Let a task do what it asks to do.")
_decision("reject", "Do not let a task do what it asks to do.")


def _present(task: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        show_json(task)
    else:
        to = console()
        style = _STATE_STYLES.get(task["status"], "bold")
        to.print(f"task {task['id']} · {task['capability']} · [{style}]{task['status']}[/]")
        if task.get("trace_id"):
            to.print(f"[dim]trace {task['trace_id']}[/]")
        if task.get("error"):
            error = task["error"]
            place = f"{error['where']}: " if error.get("where") else ""
            to.print(place + error["message"] + (f" ({error['fix']})" if error.get("fix") else ""), markup=False)
        for approval in task.get("approvals", ()):
            told = approval["decision"] or f"pea tasks approve {task['id']}, or reject"
            to.print(f"{approval['summary']}: {told}", markup=False)
            to.print(f"  {msgspec.json.encode(approval['details']).decode()}", style="dim", markup=False)
        if task.get("result") is not None:
            to.print()
            show_result(to, task["result"])
    sys.exit(1 if task["status"] in ("failed", "timed_out", "cancelled") else 0)

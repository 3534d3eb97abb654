"""``pea approve``: what waits for a yes, and saying it; the same as ``pea tasks approve``, without looking for ids."""

from __future__ import annotations

import click
from rich.padding import Padding
from rich.text import Text

from pea.cli.client import address, request
from pea.cli.options import as_json, settings_options
from pea.cli.present import console, show_json
from pea.config import Settings


@click.command("approve")
@click.argument("task_id", required=False)
@click.option("--approval", metavar="KEY", help="Which of several approvals that a task asks for.")
@click.option("--by", help="Who decided; it is kept with the task.")
@click.option("--url", envvar="PEA_URL", help="The service's address (default: the configured one).")
@as_json
@settings_options
def command(
    settings: Settings, task_id: str | None, approval: str | None, by: str | None, url: str | None, as_json: bool
) -> None:
    """Show what waits for approval, or approve TASK_ID. `pea tasks reject` says no."""
    base = address(settings, url)
    if task_id is not None:
        body = {name: value for name, value in (("approval", approval), ("by", by)) if value is not None}
        task = request(base, "POST", f"/v1/tasks/{task_id}/approve", body=body)
        if as_json:
            show_json(task)
        else:
            console().print(f"approved: {task['capability']} is {task['status']}", markup=False)
        return
    waiting = request(base, "GET", "/v1/tasks", query={"status": "waiting_for_approval", "limit": 200})["tasks"]
    if as_json:
        show_json(waiting)
        return
    to = console()
    if not waiting:
        to.print("nothing waits for approval")
    for task in waiting:
        whole = request(base, "GET", f"/v1/tasks/{task['id']}")
        for asked in whole["approvals"]:
            if asked["decision"] is None:
                to.print(f"[bold]{task['id']}[/] {task['capability']}")
                to.print(Padding(_plain(asked["summary"]), (0, 0, 0, 2), expand=False))
                for line in _lines(asked["details"]):
                    to.print(Padding(_plain(line), (0, 0, 0, 4), expand=False), style="dim")
    if waiting:
        to.print(f"→ pea approve {waiting[0]['id']}, or pea tasks reject {waiting[0]['id']}", soft_wrap=True)


def _lines(details: object, above: str = "") -> list[str]:
    """Each value of what is to be done on a line of its own: nothing of it is hidden."""
    if isinstance(details, dict):
        return [
            line for name, value in details.items() for line in _lines(value, f"{above.replace(': ', '.')}{name}: ")
        ]
    if isinstance(details, list):
        return [f"{above}{', '.join(map(str, details))}"] if details else []
    return [f"{above}{details}"] if details not in ("", None) else []


def _plain(text: str) -> Text:
    """A text that others may have written, as it is: neither markup nor what a terminal would obey."""
    return Text("".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text))

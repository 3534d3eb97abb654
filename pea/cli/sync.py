"""``pea sync``: ask the user's servers for what is new, by the running service or else in this process."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import click
import msgspec

from pea.cli.client import Unreachable, address, request
from pea.cli.options import as_json, needs_workspace, settings_options
from pea.cli.present import console, show_json
from pea.config import Settings
from pea.errors import InputError, did_you_mean
from pea.runtime import Runtime
from pea.service.routine import SYNCS
from pea.telemetry import configure_logging

WAIT_S = 55.0


@click.command("sync")
@click.argument("accounts", nargs=-1)
@as_json
@settings_options
def command(settings: Settings, accounts: tuple[str, ...], as_json: bool) -> None:
    """Fetch what is new from all accounts, or from ACCOUNTS, into the workspace."""
    needs_workspace(settings)
    configure_logging(settings.telemetry.log)
    known = settings.connect.accounts
    for name in accounts:
        if name not in known:
            raise InputError("there is no such account", where=name, fix=did_you_mean(name, known))
    wanted: dict[str, dict[str, list[str]]] = {}
    for capability, kinds in SYNCS.items():
        own = [name for name, one in known.items() if one.kind in kinds and (not accounts or name in accounts)]
        if own:
            wanted[capability] = {"accounts": own}
    if not wanted:
        console().print("no accounts to fetch from: see docs/connectors.md")
        return
    base = address(settings, None)
    try:
        request(base, "GET", "/readyz", timeout_s=2.0)
        reports = [_ask(base, capability, given) for capability, given in wanted.items()]
    except Unreachable:
        reports = asyncio.run(_here(settings, wanted))
    if as_json:
        show_json(reports)
    else:
        for report in reports:
            console().print(report["text"], markup=False, soft_wrap=True)
            for one in report["accounts"]:
                for line in (*((f"→ {one['fix']}",) if one["fix"] else ()), *one["notes"]):
                    console().print(f"    {line}", markup=False, soft_wrap=True)
    sys.exit(any(one["problem"] for report in reports for one in report["accounts"]))


def _ask(base: str, capability: str, given: dict[str, list[str]]) -> dict[str, Any]:
    """Have the running service do it."""
    headers = {"Prefer": f"wait={WAIT_S:g}"}
    body = {"capability": capability, "input": given}
    task = request(base, "POST", "/v1/tasks", body=body, headers=headers, timeout_s=WAIT_S + 30.0)
    while task["status"] not in ("succeeded", "failed", "timed_out", "cancelled"):
        task = request(base, "GET", f"/v1/tasks/{task['id']}", headers=headers, timeout_s=WAIT_S + 30.0)
    if task["status"] != "succeeded":
        problem: dict[str, Any] = {
            "account": ", ".join(given["accounts"]),
            "problem": str(task["error"]),
            "fix": None,
            "notes": [],
        }
        return {"accounts": [problem], "text": f"{capability}: {task['error']['message']}"}
    result: dict[str, Any] = task["result"]
    return result


async def _here(settings: Settings, wanted: dict[str, dict[str, list[str]]]) -> list[dict[str, Any]]:
    agents = tuple(capability.partition(".")[0] for capability in wanted)
    runtime = msgspec.structs.replace(settings.runtime, agents=agents)
    async with Runtime(msgspec.structs.replace(settings, runtime=runtime)) as fleet:
        calls = [fleet.call(capability, **given) for capability, given in wanted.items()]
        return [msgspec.to_builtins(report) for report in await asyncio.gather(*calls)]

"""The commands as a user types them: what they print, and their exit codes."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.serving import ROOT, serving


def pea(*words: str, state: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run ``pea`` on the sample workspace."""
    environ = {**os.environ, "PEA_CONFIG": "examples/workspace/pea.yaml", "COLUMNS": "100"}
    if state is not None:
        environ["PEA_STATE"] = str(state)
    command = [sys.executable, "-m", "pea", *words]
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["rn"], 2, "Did you mean 'run'?"),
        (["run", "briefing.mornin"], 2, "did you mean 'briefing.morning'?"),
        (["run", "calendar.agenda", "dys=3"], 2, "did you mean 'days'?"),
        (["run", "calendar.agenda", "days=many"], 2, "days: 'many' is not JSON"),
        (["run", "calendar.agenda", "days"], 2, "is not of the form key=value"),
        (["run", "calendar.agenda", "--workspace", "/nowhere"], 2, "is not a folder"),
        (["agents", "calender", "--local"], 2, "did you mean 'calendar'?"),
        (["bench", "span"], 2, "did you mean 'spans'?"),
        (["tasks", "list", "--url", "http://127.0.0.1:1"], 1, "no service answers"),
        (["run", "documents.summary", "document=nosuch"], 1, "nosuch"),
    ],
)
def test_wrong_use_is_told_with_the_right_exit_code(tmp_path: Path, words: list[str], code: int, says: str) -> None:
    """2 for a mistake of the user's, 1 for what failed; in words, without a traceback."""
    done = pea(*words, state=tmp_path)
    assert done.returncode == code, done.stdout + done.stderr
    assert says in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_run_as_json_has_result_and_trace(tmp_path: Path) -> None:
    """What is printed for a program is one JSON document."""
    done = pea("run", "calendar.agenda", "--json", state=tmp_path)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["state"] == "succeeded"
    assert answer["result"]["entries"]
    assert {span["trace_id"] for span in answer["spans"]} == {answer["trace_id"]}


async def test_tasks_of_a_running_service(tmp_path: Path) -> None:
    """Submit, wait, list and show speak to the service; cancelling an ended task is refused in words."""
    async with serving(tmp_path) as (_, url):

        async def tasks(*words: str) -> subprocess.CompletedProcess[str]:
            return await asyncio.to_thread(pea, "tasks", *words, "--url", url)

        done = await tasks("submit", "calendar.agenda", "days=1", "--wait", "20", "--json")
        assert done.returncode == 0, done.stderr
        task = json.loads(done.stdout)
        assert task["status"] == "succeeded"
        listed = await tasks("list", "--agent", "calendar")
        assert task["id"] in listed.stdout
        shown = await tasks("show", task["id"])
        assert "calendar.agenda" in shown.stdout
        refused = await tasks("cancel", task["id"])
        assert refused.returncode == 1
        assert "has ended" in refused.stderr
        unknown = await tasks("submit", "calendar.agnda")
        assert (unknown.returncode, "did you mean 'calendar.agenda'?" in unknown.stderr) == (2, True)

"""``pea export``: every task and span, whole, in files that others read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from pea.cli.export import command
from pea.errors import ConfigError
from pea.runtime.journal import Accepted, Changed, Tables
from pea.runtime.task import Approval, Task, TaskError, TaskState


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder whose journal has tasks of several kinds."""
    tables = Tables.open(tmp_path / "state" / "journal" / "journal.db")
    for number in range(3):
        given = msgspec.Raw(b'{"n": [1, "\\u00e4"]}')
        asked = Approval(key="k", summary="s", details=msgspec.Raw(b'{"x": 1}'), asked=1.0)
        one = Task(
            id=f"{number:024x}", capability="a.b", agent="a", input=given, created=float(number), approvals=(asked,)
        )
        tables.apply([Accepted(one, 1)])
        if number:
            running = one.to(TaskState.RUNNING, 5.0)
            ended = running.to(TaskState.FAILED, 6.0, error=TaskError("x", "y"))
            if number == 2:
                ended = running.to(TaskState.SUCCEEDED, 6.0, result=msgspec.Raw(b"[1]"))
            tables.apply([Changed(running), Changed(ended)])
    tables.close()
    return tmp_path / "state"


def export(*words: object) -> str:
    result = CliRunner().invoke(command, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_lines(state: Path) -> None:
    """One JSON object a line, oldest first, with input, result and life."""
    rows = [json.loads(line) for line in export("--state", state).splitlines()]
    assert [row["state"] for row in rows] == ["queued", "failed", "succeeded"]
    assert (rows[2]["input"], rows[2]["result"], rows[2]["runs"]) == ({"n": [1, "ä"]}, [1], 1)
    assert rows[2]["life"] == [["running", 5.0], ["succeeded", 6.0]]
    assert rows[0]["approvals"][0]["details"] == {"x": 1}


def test_parquet_holds_the_same(state: Path, tmp_path: Path) -> None:
    """Columns have types; structures are JSON text."""
    parquet: Any = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    export("--state", state, "--to", tmp_path / "tasks.parquet")
    rows = parquet.read_table(tmp_path / "tasks.parquet").to_pylist()
    assert [row["created"] for row in rows] == [0.0, 1.0, 2.0]
    assert [row["result"] for row in rows] == [None, None, "[1]"]
    assert json.loads(rows[1]["error"]) == {"code": "x", "message": "y"}
    assert not list(tmp_path.glob("*.part"))


def test_since(state: Path) -> None:
    """Only what is new enough."""
    assert export("--state", state, "--since", "1h") == ""


@pytest.mark.parametrize(
    "words", [["tasks"], ["spans"], ["--backup", "x"], ["--format", "parquet"], ["--since", "soon"]]
)
def test_nothing_to_export_is_said(tmp_path: Path, words: list[str]) -> None:
    """An empty state folder and wrong words are told with the place and the fix."""
    with pytest.raises(ConfigError) as told:
        CliRunner().invoke(command, [*words, "--state", str(tmp_path)], catch_exceptions=False)
    assert told.value.fix

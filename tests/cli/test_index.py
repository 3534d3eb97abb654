"""``pea index``: every kind read once into what the agents go on from."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from pea.workspace.indexing import KINDS, index, sizes

SAMPLE = Path(__file__).parents[2] / "examples" / "workspace"


def test_the_sample_is_read_and_the_second_time_only_looked_at(tmp_path):
    """Each kind has its files, the refused are named, the bar comes to its end, and nothing is read twice."""
    read: list[int] = []
    first = {one.kind: one.sources for one in index(SAMPLE, tmp_path, read.append)}
    assert tuple(first) == KINDS
    assert all(first[kind].read for kind in KINDS)
    assert "calendars/judo-club.ics" in [refusal.path for refusal in first["calendars"].refused]
    assert sum(read) == sum(sizes(SAMPLE).values())
    again = {one.kind: one.sources for one in index(SAMPLE, tmp_path, read.append)}
    assert [(k, s.read, s.refused_count) for k, s in again.items()] == [
        (k, s.read, s.refused_count) for k, s in first.items()
    ]


def test_the_command_prints_json_alone(tmp_path):
    """With ``--json`` there is no bar on stdout."""
    command = [sys.executable, "-m", "pea", "index", "--json", "--workspace", str(SAMPLE), "--state", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert [kind["kind"] for kind in json.loads(done.stdout)["kinds"]] == list(KINDS)
    assert (tmp_path / "mail.sqlite").exists()

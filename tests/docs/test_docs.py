"""What the documentation shows is run: Python blocks whole, `pea` commands on the sample workspace."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# These need a running service, or what one has left, or minutes.
LEFT_OUT = ("pea serve", "pea tasks", "pea export", "pea cache", "pea bench", "pea top", "pea doctor --stack")


def blocks(language: str) -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for match in re.finditer(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL):
            line = page.read_text("utf-8")[: match.start()].count("\n") + 1
            yield f"{page.relative_to(ROOT)}:{line}", match[1]


PYTHON = dict(blocks("python"))
COMMANDS = {
    f"{place} {command}": command
    for place, text in blocks("sh")
    for line in text.splitlines()
    if (command := line.partition("  #")[0].strip()).startswith("pea ") and not command.startswith(LEFT_OUT)
}


@pytest.mark.parametrize("place", PYTHON)
def test_python_block_runs(place: str, tmp_path: Path) -> None:
    """A reader who copies it gets what the page says."""
    done = subprocess.run(
        [sys.executable, "-c", PYTHON[place]], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("place", COMMANDS)
def test_command_runs(place: str, tmp_path: Path) -> None:
    """A command that is shown exits with 0 on the sample workspace."""
    words = shlex.split(COMMANDS[place])
    environ = {**os.environ, "PEA_CONFIG": "examples/workspace/pea.yaml", "PEA_STATE": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=ROOT, capture_output=True, text=True, env=environ, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_within_the_repository_lead_somewhere(page: Path) -> None:
    """A relative link names a file that exists."""
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text("utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target

"""A mirror's files: what cannot be written, renamed or deleted is told as what it is, with the file."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from pea.connect.mirror import Mirror
from pea.errors import WorkspaceError


@pytest.mark.parametrize(
    ("done", "act"),
    [
        ("written", lambda mirror: mirror.write("file/new", b"1")),
        ("renamed", lambda mirror: mirror.rename("file/old", "file/new")),
        ("deleted", lambda mirror: mirror.remove("file/old")),
    ],
)
def test_the_disk_is_not_taken_for_the_server(tmp_path: Path, done: str, act: Callable[[Mirror], None]) -> None:
    """A folder that is none: the file and what to do, where a bare OSError would count as a lost connection."""
    (tmp_path / "file").touch()
    with pytest.raises(WorkspaceError, match=f"^{re.escape(str(tmp_path))}/file/.*: cannot be {done}: "):
        act(Mirror(tmp_path, tmp_path / "memory.json"))

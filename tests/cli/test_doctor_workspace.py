"""What `pea doctor` says of a workspace's folders."""

from __future__ import annotations

from pathlib import Path

from pea.cli import doctor
from pea.config import load


def test_a_folder_of_nearly_the_right_name_is_named(tmp_path: Path) -> None:
    """Nobody reads `calendar`: the finding says that it is there, and where its files belong."""
    (tmp_path / "calendar").mkdir()
    settings = load(environ={}, overrides={"workspace": str(tmp_path)})
    found = {finding.what.strip(): finding for finding in doctor._workspace(settings)}
    assert found["calendars"].detail == "there is no such folder, only 'calendar'"
    assert found["calendars"].fix == f"put your calendars into {tmp_path / 'calendars'}"
    assert found["mail"].detail == "there is no such folder"

"""A fleet with a journal."""

from __future__ import annotations

from pathlib import Path

import pytest

from pea.config import load
from tests.runtime.journal.fleet import Fleet, fleet


@pytest.fixture
def start(tmp_path: Path) -> Fleet:
    return fleet(load(environ={}, overrides={"state": str(tmp_path / "state"), "service.grace": 0.05}))

"""The example workspace, and a copy of it made anew from its story."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="session")
def workspace() -> Path:
    return EXAMPLES / "workspace"


@pytest.fixture(scope="session")
def made_anew(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `python examples/make_workspace.py FOLDER` writes today."""
    folder = tmp_path_factory.mktemp("workspace")
    subprocess.run([sys.executable, EXAMPLES / "make_workspace.py", folder], check=True, timeout=60)
    return folder

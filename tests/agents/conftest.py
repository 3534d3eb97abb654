"""A workspace of public files, and a state folder, for the agents' tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.absent import NO_DATA
from tests.agents.office import PUBLIC, public_workspace


@pytest.fixture(scope="session")
def public(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The public mails and documents as a workspace."""
    if not PUBLIC.is_dir():
        pytest.skip(NO_DATA)
    return public_workspace(tmp_path_factory.mktemp("public"))


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder that the agents' tests share, so that each file is read once."""
    return tmp_path_factory.mktemp("state")

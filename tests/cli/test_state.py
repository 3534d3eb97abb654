"""The state folder as commands find it, make it or refuse it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from pea.cli.index import command as index
from pea.cli.options import needs_state
from pea.cli.serve import command as serve
from pea.config import load
from pea.errors import ConfigError


def test_a_new_one_is_its_users_alone(tmp_path: Path) -> None:
    """What was mail is in it."""
    state = needs_state(load(environ={}, overrides={"state": str(tmp_path / "a" / "state")}))
    assert (state.stat().st_mode & 0o777, list(state.iterdir())) == (0o700, [])


@pytest.mark.parametrize("command", [index, serve])
def test_one_that_cannot_be_written_is_refused_before_anything_is_begun(tmp_path: Path, command: object) -> None:
    """With the folder and what to do, not with a traceback."""
    (tmp_path / "file").touch()
    options = ["--workspace", str(tmp_path), "--state", str(tmp_path / "file" / "state")]
    result = CliRunner().invoke(command, options)  # type: ignore[arg-type]
    assert isinstance(result.exception, ConfigError)
    assert str(result.exception) == (
        f"{tmp_path}/file/state: the state folder cannot be written: Not a directory "
        "(make room or allow it, or give another --state)"
    )

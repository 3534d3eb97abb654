"""What `pea doctor` says of access tokens."""

from datetime import UTC, datetime, timedelta

import pytest

from pea.cli.doctor_access import tokens
from pea.config import ServiceSettings, Settings
from pea.service.access.scopes import Scope
from pea.service.access.token_file import write_tokens
from pea.service.access.tokens import issue

NOW = datetime(2026, 5, 12, 7, 30, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("lifetimes", "host", "verdict", "detail"),
    [
        (None, "127.0.0.1", "note", "whoever is logged in"),
        (None, "0.0.0.0", "missing", "from other machines"),
        ([None, 90 * DAY], "0.0.0.0", "ok", "2 valid, 0 expired"),
        ([None, -DAY], "127.0.0.1", "ok", "1 valid, 1 expired"),
        ([None, 6 * DAY], "127.0.0.1", "note", "soon to expire: me ("),
        ([-DAY], "127.0.0.1", "missing", "none of 1 is valid"),
        ([], "127.0.0.1", "missing", "none of 0 is valid"),
    ],
)
def test_who_may_use_the_service_is_said(tmp_path, lifetimes, host, verdict, detail):
    """Missing is what keeps the service from starting, or everybody out; what is not good is told with what to do."""
    if lifetimes is not None:
        made = [issue("me", [Scope.READ], NOW, lifetime=one)[0] for one in lifetimes]
        write_tokens(tmp_path / "tokens.json", {token.id: token for token in made})
    found = tokens(Settings(state=str(tmp_path), service=ServiceSettings(host=host)), NOW)
    assert found.verdict == verdict
    assert detail in found.detail
    assert (found.fix is None) == (verdict == "ok")


def test_a_file_that_is_not_used_is_missing(tmp_path):
    """One that others may read keeps the service from starting, so the doctor says it first."""
    path = tmp_path / "tokens.json"
    path.touch(mode=0o644)
    path.chmod(0o644)
    found = tokens(Settings(state=str(tmp_path)), NOW)
    assert (found.verdict, found.fix) == ("missing", f"chmod 600 {path}")

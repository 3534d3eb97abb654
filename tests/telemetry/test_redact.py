"""What looks like a secret does not get into a log line, and what does not stays readable."""

import logging

import pytest

from pea.telemetry.redact import redact

TOKEN = "pea_0123456789ab_" + "Aa0-_" * 8 + "xyz"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (f"token {TOKEN} came", "token pea_0123456789ab_… came"),
        ("Authorization: Bearer abcdefgh.ijk", "Authorization: Bearer …"),
        ("{'authorization': 'Basic dXNlcjpwdw=='}", "{'authorization': 'Basic …'}"),
        ("redis://me:s3cret@host:6379/0 is gone", "redis://…@host:6379/0 is gone"),
        ("http://:pw@h/", "http://…@h/"),
        ("http://127.0.0.1:8080/v1/tasks", "http://127.0.0.1:8080/v1/tasks"),
        ("mail me@example.org at http://a.example/b:c@d", "mail me@example.org at http://a.example/b:c@d"),
        ("the basic plan", "the basic plan"),
        ("a bearer of news", "a bearer of news"),
        ("pea_sessions", "pea_sessions"),
    ],
)
def test_secrets_are_replaced(given, told):
    """Tokens, credentials of headers and passwords in addresses are; other words are not."""
    assert redact(given) == told


def test_it_takes_linear_time():
    """A long line made to be slow is not."""
    redact("://" * 20_000 + "bearer " * 20_000 + "http://" + ":" * 50_000)


def test_lines_of_the_standard_library_are_redacted_too(capsys):
    """A library's own logger goes through the same door."""
    from pea.config import LogSettings
    from pea.telemetry import configure_logging

    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    try:
        configure_logging(LogSettings(format="json"))
        logging.getLogger("some.library").error("cannot connect to %s", "amqp://me:hunter2@broker/")
        told = capsys.readouterr().err
    finally:
        root.handlers[:], _ = before, root.setLevel(level)
    assert "broker" in told
    assert "hunter2" not in told

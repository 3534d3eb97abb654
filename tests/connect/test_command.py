"""``pea connect``: an account is added, listed and tested as a person does it; against real servers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from pea.cli import connect
from tests.connect.servers import PASSWORD, USER, Dovecot, Radicale

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Type ``pea connect …`` in a folder of one's own; the exit code and all that was printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("PEA_CONFIG", raising=False)

    def typed(*words: str, given: str = "") -> tuple[int, str]:
        done = CliRunner().invoke(connect.command, list(words), input=given)
        failed = "" if done.exception is None or isinstance(done.exception, SystemExit) else str(done.exception)
        return done.exit_code, done.output + failed

    return typed


@pytest.mark.service
def test_add_list_and_test(run: Run, radicale: Radicale, dovecot: Dovecot, tmp_path: Path) -> None:
    """What was added works at once; its password is in a file of the user's alone, and in no output."""
    (tmp_path / "pea.yaml").write_text("# my settings\nuser: {name: Nora}  # me\n")
    radicale.make("work", "Work")
    code, told = run("add", "work", "caldav", "--url", radicale.url, "--user", USER, given=f"{PASSWORD}\n")
    assert (code, "calendars 'Work'" in told) == (0, True), told
    secret = tmp_path / "config" / "pea" / "work"
    assert (secret.read_text(), secret.stat().st_mode & 0o777) == (f"{PASSWORD}\n", 0o600)
    text = (tmp_path / "pea.yaml").read_text()
    assert text.startswith("# my settings\nuser: {name: Nora}  # me\nconnect:\n")
    place = ("--host", "127.0.0.1", "--port", str(dovecot.port), "--tls", "none", "--user", USER)
    code, other = run("add", "post", "imap", *place, given="wrong\n")
    assert (code, "the server does not accept the credentials" in other) == (1, True), other
    assert "check user and password of connect.accounts.post" in other
    listed = {one["account"]: one for one in json.loads(run("list", "--json")[1])}
    assert (listed["work"]["password"], listed["work"]["last_good"]) == (f"file:{secret}", None)
    assert "never" in run("list")[1]
    code, tested = run("test", "work")
    assert (code, "✓ account work" in tested) == (0, True)
    assert run("test")[0] == 1
    radicale.program.stop()
    assert "no connection: Connection refused" in run("test", "work")[1]
    assert PASSWORD not in text + told + other + tested + json.dumps(listed)


def test_mistakes(run: Run, tmp_path: Path) -> None:
    """What cannot work is said before anything is written or asked."""
    add = ("add", "work", "caldav", "--no-test", "--user", "nora", "--password-env", "WORK_PASSWORD")
    assert "use https" in run(*add, "--url", "http://dav.example.org/")[1]
    assert "is no name" in run("add", "My Work", "caldav", "--url", "https://x/")[1]
    assert "the imap server's name" in run("add", "post", "imap", "--no-test")[1]
    assert "none was given" in run("add", "post", "imap", "--host", "x", "--user", "n", "--no-test", given="\n")[1]
    assert list(tmp_path.iterdir()) == []
    assert "no accounts" in run("list")[1]
    assert run(*add, "--url", "https://dav.example.org/")[0] == 0
    assert "there is an account of this name" in run(*add, "--url", "https://dav.example.org/")[1]
    assert "the variable WORK_PASSWORD is not set" in run("list")[1]
    assert "export WORK_PASSWORD" in run("test")[1]
    assert "did you mean 'work'?" in run("test", "wrok")[1]


def test_nothing_is_left_behind(run: Run, tmp_path: Path) -> None:
    """Where the configuration cannot be added to, no password stays on the disk, and the lines are shown."""
    (tmp_path / "pea.yaml").write_text("connect: {every: 5m}\n")
    code, told = run("add", "post", "imap", "--host", "imap.example.org", "--user", "n", "--no-test", given="x\n")
    assert (code, "add by hand" in told, "host: imap.example.org" in told) == (1, True, True)
    assert [one.name for one in tmp_path.iterdir()] == ["pea.yaml"]

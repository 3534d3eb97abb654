"""The security agent: what is found is named, placed and masked; what means harm is judged and never followed."""

from __future__ import annotations

import asyncio
from datetime import date
from pathlib import Path

import msgspec
import pytest

from pea import InputError, Runtime
from pea.agents.security import Security
from pea.config import load
from tests.agents.office import SAMPLE, ask

SECRET = "Sommer2026!geheim"
LETTER = """From: Kim Doe <kim@elsewhere.test>
To: nora@havelmark.example
Date: Mon, 04 May 2026 09:00:00 +0200
Message-ID: <gdpr-1@elsewhere.test>
Subject: My data

This is a data access request: please send me a copy of my personal data.
IBAN DE89 3704 0044 0532 0130 00, born on 12 March 1985.
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "mail").mkdir()
    (tmp_path / "documents").mkdir()
    (tmp_path / "mail" / "request.eml").write_text(LETTER)
    (tmp_path / "documents" / "notes.md").write_text(f"# Router\n\nThe password is: {SECRET}\n")
    (tmp_path / "documents" / "privacy.md").write_text("# Privacy notice\n\nOur data protection officer is Kim.\n")
    return tmp_path


def test_sensitive_data_is_masked_and_placed(workspace: Path) -> None:
    """The value itself is nowhere in the answer."""
    found = ask(workspace, workspace / "s", Security, "security.sensitive")
    assert found.by_kind == {"IBAN": 1, "password": 1, "date of birth": 1}
    told = msgspec.json.encode(found).decode()
    assert SECRET not in told
    assert "0532" not in told
    password = next(one for one in found.items if one.kind == "password")
    assert (password.path, password.place) == ("documents/notes.md", "line 3 under “Router”")


def test_nothing_sensitive_reaches_spans_or_disk(workspace: Path) -> None:
    """Neither the trace nor what a scan keeps between runs holds the value."""
    state = workspace / "s"
    overrides = {"workspace": str(workspace), "state": str(state), "runtime.agents": ["security"]}
    settings = load(environ={}, overrides=overrides)

    async def once() -> str:
        async with Runtime(settings, agents=[Security()]) as runtime:
            task, _ = await runtime.scheduler.run("security.scan", {})
            await runtime.telemetry.flush()
            spans = runtime.telemetry.recent.get(task.trace_id or "")
            assert task.state == "succeeded"
            return repr([(span.name, dict(span.attributes or {})) for span in spans])

    assert SECRET not in asyncio.run(once())
    kept = state / "security.sqlite"
    assert kept.exists()
    for path in (kept, Path(f"{kept}-wal")):
        if path.exists():
            assert b"3704" not in path.read_bytes()


def test_the_sample_phish_is_likely_and_the_injection_is_not_obeyed(kept: Path) -> None:
    """Two of 85 mails: the look-alike login with four reasons, and the one that orders assistants about."""
    found = ask(SAMPLE, kept, Security, "security.phishing")
    assert found.looked_at == 85
    assert [(one.sender, one.verdict) for one in found.suspicious] == [
        ("security@havelmark-login.example.net", "likely"),
        ("robot@shared-files.example.org", "possible"),
    ]
    assert any("leads to havelmark-login.example.net" in why for why in found.suspicious[0].reasons)
    assert any("were not followed" in why for why in found.suspicious[1].reasons)


def test_access_names_outsiders_with_evidence(kept: Path) -> None:
    """Nobody of the user's own organisation is among them, and each has a place to look."""
    found = ask(SAMPLE, kept, Security, "security.access")
    assert found.found == 13
    assert all(one.organisation not in found.inside and one.evidence for one in found.outsiders)


def test_a_request_for_data_runs_a_deadline(workspace: Path) -> None:
    """Art. 12(3): one month after it came; documents that exist are evidence, others are missing."""
    found = ask(workspace, workspace / "s", Security, "security.compliance", laws=("gdpr",))
    states = {check.article: check.state for check in found.checks}
    request = next(check for check in found.checks if check.due is not None)
    assert (request.article, request.due) == ("Art. 12, 15-17", date(2026, 6, 4))
    assert states["Art. 13, 14"] == "evidence"
    assert states["Art. 30"] == "missing"
    assert states["Art. 32"] in ("attention", "missing")
    assert states["Art. 6, 7"] == "cannot be told"


def test_an_unknown_law_or_kind_is_an_error(workspace: Path) -> None:
    """Nothing is ever compliant with a law that nobody knows."""
    with pytest.raises(InputError, match="laws"):
        ask(workspace, workspace / "s", Security, "security.compliance", laws=("PRISMA",))
    with pytest.raises(InputError, match="kinds"):
        ask(workspace, workspace / "s", Security, "security.sensitive", kinds=("unicorns",))


def test_threats_are_written_down_once(workspace: Path) -> None:
    """The second scan finds nothing new, and the list has each."""
    first = ask(workspace, workspace / "s", Security, "security.scan")
    second = ask(workspace, workspace / "s", Security, "security.scan")
    assert (first.level, first.new_threats, second.new_threats) == ("high", 2, 0)
    threats = ask(workspace, workspace / "s", Security, "security.threats").threats
    assert {one.kind for one in threats} == {"IBAN", "password"}


def test_strangers_files(public: Path, kept: Path) -> None:
    """142 public files scanned, 100 refused by name: one password, which is there, and no mail called phishing."""
    found = ask(public, kept, Security, "security.sensitive")
    assert (found.sources.read, found.sources.refused_count) == (142, 100)
    assert [(one.kind, one.path) for one in found.items] == [("password", "documents/testRFC822_encrypted_zip")]
    assert ask(public, kept, Security, "security.phishing").suspicious == ()

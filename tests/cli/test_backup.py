"""``pea export --backup`` and ``--restore``: in a folder, and in object storage over HTTP."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pea.cli import backup_places
from pea.cli.backup import DATABASES, MANIFEST, back_up, restore
from pea.cli.backup_places import place_at
from pea.cli.export import command
from pea.config.sections import MemorySettings
from pea.errors import ConfigError, Conflict, MissingExtra, PeaError
from pea.memory import Memories

NOW = datetime(2026, 5, 12, 8, 30, tzinfo=UTC)
SERVER = """
import sys
from werkzeug.serving import make_server
from moto.server import DomainDispatcherApplication, create_backend_app
server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True)
print(server.server_port, flush=True)
server.serve_forever()
"""


def table(path: Path, rows: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE row (data BLOB)")
        db.executemany("INSERT INTO row VALUES (?)", [(os.urandom(4_096),) for _ in range(rows)])
    db.close()


def count(path: Path) -> int:
    with sqlite3.connect(path) as db:
        found: int = db.execute("SELECT count(*) FROM row").fetchone()[0]
    db.close()
    return found


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder with every database, tokens, an audit log, and a cache that is no part of a backup."""
    state = tmp_path / "state"
    for number, name in enumerate(DATABASES):
        table(state / name, 5 + number)
    (state / "audit").mkdir()
    (state / "audit" / "audit-000000001.jsonl").write_text('{"event":"opened"}\n')
    (state / "tokens.json").write_text('{"version":1,"tokens":[]}')
    (state / "mail.sqlite").write_bytes(b"made again")
    return state


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """A server that speaks S3 over HTTP, in a process of its own."""
    pytest.importorskip("moto.server", reason="moto is not installed")
    with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        server.kill()


@pytest.fixture(params=["folder", "bucket"])
def where(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A place for backups of each kind, empty."""
    if request.param == "folder":
        return str(tmp_path / "backups")
    endpoint = request.getfixturevalue("s3")
    for name, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    boto3: Any = pytest.importorskip("boto3", reason="boto3 comes with moto")
    bucket = f"b-{abs(hash(tmp_path))}"
    boto3.client("s3", endpoint_url=endpoint).create_bucket(Bucket=bucket)
    return f"s3://{bucket}/office/pea"


def test_all_comes_back(state: Path, where: str, tmp_path: Path) -> None:
    """Databases, tokens and audit log return as they were, for their owner only; what can be made again stays away."""
    stamp, manifest = back_up(state, where, NOW)
    assert stamp == "20260512T083000.000000Z"
    assert restore(where, tmp_path / "new") == manifest
    for number, name in enumerate(DATABASES):
        assert count(tmp_path / "new" / name) == 5 + number
    assert (tmp_path / "new" / "audit" / "audit-000000001.jsonl").read_text() == '{"event":"opened"}\n'
    assert (tmp_path / "new" / "tokens.json").stat().st_mode & 0o077 == 0
    assert not (tmp_path / "new" / "mail.sqlite").exists()
    assert not list(state.glob(".backup-*"))


def test_large_files_go_in_parts(tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is larger than a part is sent and fetched in several, and is the same."""
    monkeypatch.setattr(backup_places, "CHUNK", 5 << 20)
    table(tmp_path / "state" / "activity.sqlite", 3_000)
    _, manifest = back_up(tmp_path / "state", where, NOW)
    assert manifest.files[0].size > 2 * (5 << 20)
    restore(where, tmp_path / "new")
    assert count(tmp_path / "new" / "activity.sqlite") == 3_000


def test_what_has_no_manifest_is_no_backup(state: Path, where: str, tmp_path: Path) -> None:
    """A backup that was broken off is passed over: the newest whole one is taken."""
    first, _ = back_up(state, where, NOW)
    second, _ = back_up(state, where, NOW + timedelta(days=1))
    place_at(where).drop([f"{second}/{MANIFEST}"])
    assert restore(where, tmp_path / "new").at.startswith("2026-05-12")
    assert restore(f"{where}/{first}", tmp_path / "other").at.startswith("2026-05-12")


def test_keep(state: Path, where: str) -> None:
    """Only the newest so many stay."""
    for day in range(4):
        back_up(state, where, NOW + timedelta(days=day), keep=2)
    assert {name[:8] for name in place_at(where).sizes()} == {"20260514", "20260515"}


def test_what_was_altered_is_not_brought_back(state: Path, where: str, tmp_path: Path) -> None:
    """One byte less or another one: nothing at all is put into the state folder."""
    stamp, _ = back_up(state, where, NOW)
    (tmp_path / "other").write_bytes(b'{"version":1,"tokens":[}]')
    place_at(where).put(f"{stamp}/tokens.json", tmp_path / "other")
    with pytest.raises(PeaError, match="not what was backed up"):
        restore(where, tmp_path / "new")
    assert not list((tmp_path / "new").iterdir())


@pytest.mark.parametrize("name", ["journal/journal.db", "journal/journal.db-wal", "tokens.json"])
def test_nothing_is_overwritten(state: Path, tmp_path: Path, name: str) -> None:
    """What is in the state folder stays, and so does a log that SQLite would play into the restored database."""
    back_up(state, str(tmp_path / "backups"), NOW)
    there = tmp_path / "new" / name
    there.parent.mkdir(parents=True)
    there.write_bytes(b"mine")
    with pytest.raises(Conflict, match="overwritten") as told:
        restore(str(tmp_path / "backups"), tmp_path / "new")
    assert told.value.fix
    assert there.read_bytes() == b"mine"


@pytest.mark.parametrize(
    "name",
    ["../../etc/cron.d/x", "/etc/passwd", "mail.sqlite", "connect/../../x.json", "audit/audit-1/../x.jsonl", ""],
)
def test_a_manifest_names_only_what_backups_have(state: Path, tmp_path: Path, name: str) -> None:
    """A manifest from elsewhere writes no file of its choice."""
    stamp, _ = back_up(state, str(tmp_path / "backups"), NOW)
    path = tmp_path / "backups" / stamp / MANIFEST
    manifest = json.loads(path.read_text())
    manifest["files"][0]["name"] = name
    path.write_text(json.dumps(manifest))
    with pytest.raises(ConfigError, match="what no backup has"):
        restore(str(tmp_path / "backups"), tmp_path / "new")


@pytest.mark.parametrize("text", ["", "[]", '{"version": 2}', '{"version": 1, "pea": "0", "at": "", "files": []}'])
def test_a_broken_manifest_is_told(tmp_path: Path, text: str) -> None:
    """It is said which place has it."""
    (tmp_path / "backups" / "1").mkdir(parents=True)
    (tmp_path / "backups" / "1" / MANIFEST).write_text(text)
    with pytest.raises(ConfigError, match="manifest cannot be read") as told:
        restore(str(tmp_path / "backups"), tmp_path / "new")
    assert str(tmp_path / "backups") in str(told.value)


def test_a_damaged_database_is_not_brought_back(state: Path, tmp_path: Path) -> None:
    """Sums that fit do not make a database sound: SQLite is asked too."""
    stamp, _ = back_up(state, str(tmp_path / "backups"), NOW)
    folder = tmp_path / "backups" / stamp
    manifest = json.loads((folder / MANIFEST).read_text())
    one = next(file for file in manifest["files"] if file["name"] == "memory.sqlite")
    (folder / "memory.sqlite").write_bytes(b"x" * 100)
    one |= {"size": 100, "sha256": sha256(b"x" * 100).hexdigest()}
    (folder / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(PeaError, match="damaged"):
        restore(str(tmp_path / "backups"), tmp_path / "new")


@pytest.mark.parametrize("where", ["ftp://x/y", "s3://", "s3:///x", "https://x/y", "s3://b/p?x=1"])
def test_other_places_are_refused(state: Path, where: str) -> None:
    """The error names those that there are."""
    with pytest.raises(ConfigError, match="no place for backups"):
        back_up(state, where, NOW)


def test_a_bucket_that_is_not_there(state: Path, where: str) -> None:
    """What the storage answers is told with the place and what to do, not as a traceback."""
    elsewhere = where.replace("s3://b-", "s3://missing-") if where.startswith("s3") else f"{where}/nothing"
    with pytest.raises(PeaError) as told:
        restore(elsewhere, state / "new")
    assert told.value.where
    assert told.value.fix
    if where.startswith("s3"):
        with pytest.raises(PeaError) as told:
            back_up(state, elsewhere, NOW)
        assert "missing-" in str(told.value.where)


def test_without_the_extra_it_is_named(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Object storage without obstore says what to install; a folder needs nothing."""
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    with pytest.raises(MissingExtra) as told:
        back_up(state, "s3://bucket/x", NOW)
    assert "pea[backup]" in str(told.value)


def test_the_command(state: Path, where: str, tmp_path: Path) -> None:
    """Both ways by command line, with the same files and sizes."""

    def run(*words: object) -> Any:
        done = CliRunner().invoke(command, [*map(str, words), "--json"], catch_exceptions=False)
        assert done.exit_code == 0
        return json.loads(done.output)

    made = run("--backup", where, "--state", state)
    back = run("--restore", where, "--state", tmp_path / "new")
    assert made["files"] == back["files"]
    shown = CliRunner().invoke(command, ["--backup", where, "--keep", "1", "--state", str(state)]).output
    assert f"{len(made['files'])} files of " in shown


async def test_memories_come_back(tmp_path: Path) -> None:
    """A real store, backed up while it is open, answers the same after it was brought back."""
    memories = Memories(tmp_path / "state" / "memory.sqlite", MemorySettings())
    await memories.store("travel:preferences", "seat", "aisle")
    back_up(tmp_path / "state", str(tmp_path / "backups"), NOW)
    await memories.aclose()
    restore(str(tmp_path / "backups"), tmp_path / "new")
    again = Memories(tmp_path / "new" / "memory.sqlite", MemorySettings())
    found = await again.retrieve("travel:preferences", "seat")
    assert found is not None
    assert bytes(found.value) == b'"aisle"'
    await again.aclose()

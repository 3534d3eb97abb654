"""Every request that changes something is in the log, and the log tells when it was changed itself."""

import asyncio
import errno
import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pea.config import AuditSettings, Bytes
from pea.errors import ConfigError
from pea.service.access import audit_log
from pea.service.access.audit import Entry, audit_files
from pea.service.access.audit_log import AuditLog
from pea.service.access.audit_verify import records, verify

AT = "2026-05-12T07:30:00.000Z"


def _write(folder, count, **options):
    """A log with ``count`` entries between its opening and its close."""
    log = AuditLog(folder, AuditSettings(**options), lambda: AT)
    log.open()
    for number in range(count):
        log.note(Entry(event="request", at=AT, path=f"/v1/tasks/{number}"))
    log.close()
    return log


def _said(folder):
    return [(found.event, found.path) for _, _, found in records(folder)]


def test_what_was_written_is_intact(tmp_path):
    """A log that nobody touched verifies, and goes on where it ended."""
    first = _write(tmp_path, 3)
    second = _write(tmp_path, 2)
    verdict = verify(tmp_path, expect=first.head.hash)
    assert verdict.intact
    assert (verdict.files, verdict.records, verdict.head) == (1, 9, second.head)
    assert [event for event, _ in _said(tmp_path)].count("opened") == 2


@settings(max_examples=60)
@given(data=st.data())
def test_any_change_is_found_where_it_is(tmp_path_factory, data):
    """Whatever one does to a line (change a byte, drop, repeat, swap or insert it), verifying points at it."""
    folder = tmp_path_factory.mktemp("audit")
    log = _write(folder, 8)
    path = audit_files(folder)[0]
    lines = path.read_bytes().splitlines(keepends=True)
    at = data.draw(st.integers(0, len(lines) - 2))
    kind = data.draw(st.sampled_from(["byte", "drop", "repeat", "swap", "insert"]))
    if kind == "byte":
        line = bytearray(lines[at])
        place = data.draw(st.integers(0, len(line) - 2))
        line[place] ^= data.draw(st.integers(1, 127))
        lines[at] = bytes(line)
    elif kind == "drop":
        del lines[at]
    elif kind == "repeat":
        lines.insert(at, lines[at])
    elif kind == "swap":
        lines[at], lines[at + 1] = lines[at + 1], lines[at]
    else:
        lines.insert(at, b'{"event":"request","at":"now","seq":%d,"prev":"%064d"}\n' % (at + 1, 0))
    path.write_bytes(b"".join(lines))
    verdict = verify(folder, expect=log.head.hash)
    if kind == "drop" and at == 0:  # looks as if it had been rotated away; the next one says that it is not the first
        assert verdict.first == 2
        return
    assert not verdict.intact
    assert verdict.breaks[0].line in (at + 1, at + 2)


def test_a_log_that_was_written_anew_is_found_by_a_hash_noted_elsewhere(tmp_path):
    """A whole new chain is intact in itself; the hash that was logged outside tells."""
    noted = _write(tmp_path / "old", 5).head.hash
    _write(tmp_path / "new", 4)
    assert verify(tmp_path / "new").intact
    assert not verify(tmp_path / "new", expect=noted).intact
    path = audit_files(tmp_path / "old")[0]
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    assert verify(tmp_path / "old").intact
    assert verify(tmp_path / "old", expect=noted).expected is False


def test_rotation_carries_the_chain_over(tmp_path):
    """Full files are followed by new ones in the same chain; the oldest go, and what is left verifies."""
    for _ in range(12):
        _write(tmp_path, 10, size=Bytes(2_000), files=3)
    verdict = verify(tmp_path)
    assert verdict.intact
    assert verdict.files == 3
    assert verdict.first > 1
    assert verdict.head.seq == 144
    middle = audit_files(tmp_path)[1]
    middle.unlink()
    assert "missing" in verify(tmp_path).breaks[0].what


def test_an_unfinished_line_is_told_of(tmp_path):
    """What a crash left half written is dropped, and the log says so itself."""
    _write(tmp_path, 2)
    with audit_files(tmp_path)[0].open("ab") as file:
        file.write(b'{"event":"requ')
    assert not verify(tmp_path).intact
    _write(tmp_path, 1)
    assert verify(tmp_path).intact
    assert [event for event, _ in _said(tmp_path)].count("torn") == 1


def test_an_empty_last_file_is_gone_on_with(tmp_path):
    """A crash between making a file and writing to it loses nothing of the chain."""
    log = _write(tmp_path, 2)
    (tmp_path / f"audit-{log.head.seq + 1:09d}.jsonl").touch(mode=0o600)
    _write(tmp_path, 1)
    assert verify(tmp_path).intact
    assert verify(tmp_path).records == 7


def test_a_broken_end_is_not_hidden(tmp_path):
    """A service goes on after a line that was tampered with, and verifying still points at it."""
    _write(tmp_path, 2)
    path = audit_files(tmp_path)[0]
    path.write_bytes(path.read_bytes().replace(b"closed", b"cl0sed"))
    _write(tmp_path, 1)
    verdict = verify(tmp_path)
    assert verdict.breaks[0].line == 4


def test_one_service_writes_a_log(tmp_path):
    """Two writers would break each other's chain, so the second is refused."""
    log = AuditLog(tmp_path, AuditSettings(), lambda: AT)
    log.open()
    with pytest.raises(ConfigError, match="another service"):
        AuditLog(tmp_path, AuditSettings(), lambda: AT).open()
    log.close()


def test_no_log_is_said_so(tmp_path):
    """Verifying nothing is an error, not a success."""
    with pytest.raises(ConfigError, match="no audit log"):
        verify(tmp_path)
    with pytest.raises(ConfigError, match="no audit log"):
        verify(tmp_path / "nowhere")


async def test_every_change_is_recorded_and_no_reading(locked, keys):
    """Who, what, when, with which outcome; refusals too. What only reads is in the traces, not here."""
    submit, admin, read = keys.show("submit"), keys.show("admin"), keys.show("read")
    task = {"capability": "echo.say", "input": {"words": "the words themselves"}}
    response, _ = await locked.send("POST", "/v1/tasks", json=task, headers=submit)
    await locked.send("GET", "/v1/agents", headers=read)
    await locked.send("POST", "/v1/tasks", json={"capability": "echo.sya"}, headers=submit)
    await locked.send("POST", "/v1/caches/invalidate", json=[], headers=admin)
    await locked.send("POST", "/v1/tasks", json=task, headers=read)
    for _ in range(3):
        await locked.send("POST", "/v1/tasks", json=task, headers={"Authorization": "Bearer wrong"})
    locked.auditor.flush()
    await locked.auditor.log.append(Entry(event="request", at=AT, path="last"))
    found = [found for _, _, found in records(locked.state / "audit")]
    said = [(found.name, found.method, found.path, found.status, found.count) for found in found[1:-1]]
    assert said == [
        ("submit", "POST", "/v1/tasks", 202, 1),
        ("submit", "POST", "/v1/tasks", 404, 1),
        ("admin", "POST", "/v1/caches/invalidate", 400, 1),
        ("read", "POST", "/v1/tasks", 403, 1),
        ("nobody", "POST", "/v1/tasks", 401, 3),
    ]
    assert found[1].subject == response.headers["Location"]
    assert found[1].remote == "127.0.0.1"
    assert len(found[1].trace_id) == 32
    written = b"".join(path.read_bytes() for path in audit_files(locked.state / "audit"))
    assert b"themselves" not in written


async def test_a_record_is_in_the_file_before_the_answer(locked, keys):
    """Nothing that was answered is missing from the log, should the process die the next moment."""
    for number in range(5):
        await locked.send("POST", "/v1/events", json={"event": f"e{number}"}, headers=keys.show("submit"))
        assert len(list(records(locked.state / "audit"))) == number + 2


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
async def test_what_cannot_be_recorded_is_not_done(locked, keys, monkeypatch, code):
    """While the log cannot be written changes are refused and reading goes on; afterwards nothing is missing."""
    written, full = os.write, [True]

    def write(descriptor, data):
        if full[0] and descriptor == locked.auditor.log._descriptor:
            written(descriptor, data[:7])
            raise OSError(code, os.strerror(code))
        return written(descriptor, data)

    monkeypatch.setattr(os, "write", write)
    event = {"event": "meeting-created"}
    first, _ = await locked.send("POST", "/v1/events", json=event, headers=keys.show("submit"))
    second, problem = await locked.send("POST", "/v1/events", json=event, headers=keys.show("submit"))
    reading, _ = await locked.send("GET", "/v1/agents", headers=keys.show("read"))
    assert (first.status, second.status, reading.status) == (200, 503, 200)
    assert problem["type"] == "/problems/audit_unavailable"
    assert second.headers["Retry-After"]
    full[0] = False
    await locked.auditor.log.append(Entry(event="request", at=AT, path="after"))
    third, _ = await locked.send("POST", "/v1/events", json=event, headers=keys.show("submit"))
    assert third.status == 200
    verdict = verify(locked.state / "audit")
    assert verdict.intact
    assert [path for _, path in _said(locked.state / "audit")] == ["", "/v1/events", "after", "/v1/events"]


def test_what_waits_for_a_disk_is_bounded_and_what_found_no_room_is_told(tmp_path, monkeypatch):
    """A flood of refusals while the disk is full costs no more memory than the bound; their number is in the log."""
    monkeypatch.setattr(audit_log, "MAX_WAITING", 5)
    log = AuditLog(tmp_path, AuditSettings(), lambda: AT)
    for number in range(20):  # nobody writes before it is opened, as while the disk is full
        log.note(Entry(event="requests", at=AT, path=str(number), count=3))
    assert len(log._waiting) == 5
    log.open()
    log.close()
    told = [(found.event, found.count) for _, _, found in records(tmp_path)]
    assert told == [("requests", 3)] * 5 + [("opened", 1), ("lost", 45), ("closed", 1)]
    assert verify(tmp_path).intact


async def test_spans_are_summed(locked, keys):
    """Telemetry is told of once a minute and sender: it would push everything else out of the files."""
    for _ in range(4):
        await locked.send("POST", "/v1/traces", data=b"", headers=keys.show("ingest"))
    locked.auditor.flush()
    await locked.auditor.log.append(Entry(event="request", at=AT))
    found = [found for _, _, found in records(locked.state / "audit")]
    assert [(one.event, one.name, one.count) for one in found[1:-1]] == [("requests", "ingest", 4)]


@pytest.mark.parametrize("name", [None, "submit"])
async def test_who_hangs_up_is_recorded(locked, keys, monkeypatch, name):
    """A caller who is gone before the answer is told of, a stranger in a sum: hanging up is no way to fill the log."""
    noted, note = asyncio.Event(), locked.auditor.note

    def told(entry, **how):
        note(entry, **how)
        noted.set()

    monkeypatch.setattr(locked.auditor, "note", told)
    path = "/v1/session" if name is None else "/v1/tasks"
    shown = "" if name is None else f"Authorization: {keys.show(name)['Authorization']}\r\n"
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{shown}Content-Type: application/json\r\nContent-Length: 99\r\n"
    for _ in range(3):
        noted.clear()
        _, writer = await asyncio.open_connection("127.0.0.1", int(locked.service.url.rpartition(":")[2]))
        writer.write(f"{head}\r\n{{".encode())
        await writer.drain()
        writer.transport.abort()
        async with asyncio.timeout(20):
            await noted.wait()
    locked.auditor.flush()
    await locked.auditor.log.append(Entry(event="request", at=AT))
    found = [found for _, _, found in records(locked.state / "audit")]
    assert [(one.path, one.count) for one in found[1:-1]] == ([(path, 3)] if name is None else [(path, 1)] * 3)


def test_lines_are_plain_json(tmp_path):
    """Any tool can read the log: a JSON object in each line, in the order in which things happened."""
    _write(tmp_path, 2)
    found = [json.loads(line) for line in audit_files(tmp_path)[0].read_text().splitlines()]
    assert [one["seq"] for one in found] == [1, 2, 3, 4]
    assert audit_files(tmp_path)[0].stat().st_mode & 0o777 == 0o600

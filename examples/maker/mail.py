"""Mail: the messages of ``story/mail`` as a Maildir, mbox archives and single files.

A message of the story has an ``id``, a ``folder``, ``from``, ``to``, ``cc`` (people by key), a ``date``, a ``subject``
and a ``body``. ``flags`` are the Maildir's (R replied, S seen, F flagged), ``answers`` names the message replied to and
``quote`` repeats it below. ``shape`` is how the bytes are built (see ``maker/shapes.py``), ``bulk`` makes it a
mailing list's, and ``series`` repeats the message with the fields of each row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from maker.shapes import SHAPES, Draft
from maker.story import STORY, Cast, Person, table

MAILDIRS = {"inbox-new": ("INBOX", "new"), "inbox": ("INBOX", "cur"), "sent": ("Sent", "cur")}
ARCHIVES = {"archive": "archive-april.mbox", "sent-april": "sent-april.mbox"}
SAVED = "saved"


def write(folder: Path, people: Cast) -> None:
    """Write every message of the story where its ``folder`` says, and a download that never arrived."""
    people = people | {"nora-private": _private(people["nora"])}
    rows = sorted(_rows(), key=lambda row: (row["date"], row["id"]))
    attachments = table("mail/attachments.toml")
    drafts: dict[str, Draft] = {}
    for row in rows:
        drafts[row["id"]] = _draft(row, drafts, people, attachments)
    for row in rows:
        draft = drafts[row["id"]]
        _put(folder, row, draft, SHAPES[row.get("shape", "plain")](draft))
    (folder / SAVED / "swimming-photos.eml").write_bytes(b"")


def _private(nora: Person) -> Person:
    return Person("nora-private", nora.name, nora.private)


def _rows() -> Iterator[dict[str, Any]]:
    for path in sorted((STORY / "mail").glob("*.toml")):
        for row in table(f"mail/{path.name}").get("message", ()):
            for change in row.get("series", [{}]):
                merged = {key: value for key, value in (row | change).items() if key not in {"series", "n"}}
                yield merged | {"id": merged["id"].format(n=change.get("n", ""))}


def _draft(row: dict[str, Any], earlier: dict[str, Draft], people: Cast, attachments: dict[str, str]) -> Draft:
    sender = people[row["from"]]
    answered = earlier.get(row.get("answers", ""))
    return Draft(
        id=row["id"],
        headers=_headers(row, answered, people),
        body=_body(row, answered),
        date=row["date"],
        sender=sender,
        attach=tuple((name, attachments[name].lstrip()) for name in row.get("attach", ())),
        invite=row.get("invite", ""),
        link=row.get("link"),
        forwarded=earlier.get(row.get("forwards", "")),
        people=people,
    )


def _body(row: dict[str, Any], answered: Draft | None) -> str:
    body: str = row["body"].strip("\n") + "\n"
    if answered is None or not row.get("quote"):
        return body
    said = f"On {answered.date:%a, %d %b %Y at %H:%M}, {answered.sender.name} wrote:"
    quoted = "".join(f"> {line}".rstrip() + "\n" for line in answered.body.splitlines())
    return f"{body}\n{said}\n{quoted}"


def _headers(row: dict[str, Any], answered: Draft | None, people: Cast) -> list[tuple[str, Any]]:
    sender, date = people[row["from"]], row["date"]
    headers: list[tuple[str, Any]] = []
    receivers = [people[key] for key in (*row["to"], *row.get("cc", ()))]
    if row["from"] not in {"nora", "nora-private"} and row.get("shape") != "no-date":
        mine = next((person for person in receivers if person.key == "nora-private"), people["nora"])
        arrived = format_datetime(date + timedelta(seconds=4))
        headers.append(("Delivered-To", mine.email))
        headers.append(
            ("Received", f"from mx.{sender.domain} by mx.{mine.domain} with ESMTPS id {_tag(row)}; {arrived}")
        )
    headers.append(("From", sender.address))
    headers.append(("To", [people[key].address for key in row["to"]]))
    if row.get("cc"):
        headers.append(("Cc", [people[key].address for key in row["cc"]]))
    headers.append(("Subject", row["subject"]))
    if row.get("shape") != "no-date":
        headers.append(("Date", format_datetime(date)))
    headers.append(("Message-ID", f"<{row['id']}@{sender.domain}>"))
    if answered is not None:
        headers.append(("In-Reply-To", answered.message_id))
        headers.append(("References", " ".join([*answered.references, answered.message_id])))
    if "bulk" in row:
        headers += [("List-Id", row["bulk"]), ("List-Unsubscribe", f"<https://{sender.domain}/stop>")]
        headers.append(("Precedence", "bulk"))
    return headers + list(row.get("headers", {}).items())


def _tag(row: dict[str, Any]) -> str:
    return hashlib.sha256(row["id"].encode()).hexdigest()[:10]


def _put(folder: Path, row: dict[str, Any], draft: Draft, data: bytes) -> None:
    where = row["folder"]
    if where in ARCHIVES:
        with (folder / ARCHIVES[where]).open("ab") as archive:
            archive.write(_mbox_entry(draft.sender.email, draft.date, data))
        return
    if where == SAVED:
        path = folder / SAVED / f"{row['id']}.eml"
    else:
        maildir, state = MAILDIRS[where]
        flags = "" if state == "new" else ":2," + "".join(sorted(row.get("flags", "")))
        path = folder / maildir / state / f"{int(draft.date.timestamp())}.{_tag(row)}.mx{flags}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _mbox_entry(sender: str, date: datetime, data: bytes) -> bytes:
    """One message of an mbox: a separator, the message with lines that look like one escaped, an empty line."""
    lines = [b">" + line if line.lstrip(b">").startswith(b"From ") else line for line in data.splitlines(keepends=True)]
    return f"From {sender} {date:%a %b %d %H:%M:%S %Y}\n".encode() + b"".join(lines) + b"\n"

"""The parts of a mail: the best text for a reader, what is attached, and whether it is sealed."""

from __future__ import annotations

import re
from email.message import Message as Parts

import msgspec

from pea.workspace.mail.headers import unfold
from pea.workspace.mail.message import Attachment
from pea.workspace.text import html
from pea.workspace.text.decode import decode_as

MAX_DEPTH = 30
MAX_PARTS = 500
MAX_ATTACHMENTS = 100
MAX_TEXT_CHARS = 200_000
_HTML_ONLY = re.compile(
    r"(?:does not|doesn't|cannot|unable to)[^.]{0,60}(?:HTML|rich text)|HTML[ -](?:capable|enabled)", re.IGNORECASE
)
_CLEARSIGNED = re.compile(
    r"-----BEGIN PGP SIGNED MESSAGE-----\n(?:Hash:[^\n]*\n)*\n(.*?)\n-----BEGIN PGP SIGNATURE-----.*?"
    r"(?:-----END PGP SIGNATURE-----|\Z)",
    re.DOTALL,
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x80-\x9f\u202a-\u202e\u2066-\u2069\u200b\ufeff]")
_SEALED = {"application/pkcs7-mime": "S/MIME", "application/x-pkcs7-mime": "S/MIME", "multipart/encrypted": "PGP"}
_SIGNATURES = {"application/pkcs7-signature", "application/x-pkcs7-signature", "application/pgp-signature"}


class Body(msgspec.Struct, frozen=True):
    """What ``read`` found; the fields are those of ``Message``."""

    text: str = ""
    attachments: tuple[Attachment, ...] = ()
    encrypted: str = ""
    invitation: str = ""
    notes: tuple[str, ...] = ()


def read(mail: Parts) -> Body:
    """Walk a parsed mail, at most 30 levels deep and 500 parts wide; a part that cannot be read is noted."""
    walk = _Walk()
    text = walk.text(mail, 0).replace("\r\n", "\n").replace("\r", "\n").strip("\n")
    if not walk.encrypted and text.lstrip().startswith("-----BEGIN PGP MESSAGE-----"):
        walk.encrypted = "PGP"
    text = "" if walk.encrypted == "PGP" else _CLEARSIGNED.sub(r"\1", text)
    if len(text) > MAX_TEXT_CHARS:
        walk.note(f"only the first {MAX_TEXT_CHARS:,} characters of its text were kept")
        text = text[:MAX_TEXT_CHARS]
    return Body(
        _CONTROL.sub("", text),
        tuple(walk.attachments[:MAX_ATTACHMENTS]),
        walk.encrypted,
        walk.invitation,
        tuple(walk.notes),
    )


class _Walk:
    """Gathers what is beside the text while the text is sought."""

    def __init__(self) -> None:
        self.attachments: list[Attachment] = []
        self.encrypted = ""
        self.invitation = ""
        self.notes: dict[str, None] = {}
        self._parts = 0

    def note(self, text: str) -> None:
        self.notes[text] = None

    def text(self, part: Parts, depth: int) -> str:
        """The text of a part and of what is inside it."""
        self._parts += 1
        if depth > MAX_DEPTH or self._parts > MAX_PARTS:
            self.note("its parts are nested too deeply or too many; the rest was not read")
            return ""
        kind = part.get_content_type()
        if kind in _SEALED and "signed" not in str(part.get_param("smime-type", "")):
            self.encrypted = self.encrypted or _SEALED[kind]
            return ""
        if part.is_multipart():
            inner = [child for child in part.get_payload() if isinstance(child, Parts)]
            if kind == "message/rfc822" or kind.startswith("message/"):
                return self._enclosed(part, inner, depth)
            if kind == "multipart/alternative":
                return self._best(inner, depth)
            texts = [self.text(child, depth + 1) for child in inner]
            # RFC 2387: the first part is the document, the others are what it refers to.
            return "\n\n".join(filter(None, texts[:1] if kind == "multipart/related" else texts))
        if kind.startswith("multipart/"):  # its boundary is missing or wrong: the parser left it whole
            self.note("its parts cannot be told apart (wrong boundary)")
            return _decoded(part)
        return self._leaf(part, kind, depth)

    def _best(self, parts: list[Parts], depth: int) -> str:
        """Plain text if it says anything, else what HTML says; alternatives that are no text count as attachments."""
        texts: dict[str, str] = {}
        for part in parts:
            kind = part.get_content_type()
            text = self.text(part, depth + 1)
            if text.strip():
                texts.setdefault("plain" if kind == "text/plain" else "rich", text)
        plain, rich = texts.get("plain", ""), texts.get("rich", "")
        poor = len(plain) < 300 and _HTML_ONLY.search(plain)
        return rich if rich and (not plain or poor) else plain

    def _leaf(self, part: Parts, kind: str, depth: int) -> str:
        name = _file_name(part)
        disposition = part.get_content_disposition()
        if kind == "text/calendar" and not self.invitation:
            self.invitation = str(part.get_param("method", "") or "PUBLISH").upper()[:20]
        is_text = kind in ("text/plain", "text/html", "text/enriched") or (kind.startswith("text/") and not depth)
        if is_text and disposition != "attachment" and kind != "text/calendar" and not (name and depth):
            text = _decoded(part)
            return html.to_text(text) if kind == "text/html" else text
        if kind not in _SIGNATURES:
            self._attach(Attachment(name, kind, _size(part)))
        return ""

    def _enclosed(self, part: Parts, inner: list[Parts], depth: int) -> str:
        """A mail inside a mail is an attachment; reports and partial messages are read as text."""
        if part.get_content_type() != "message/rfc822":
            return "\n".join(filter(None, (self.text(child, depth + 1) for child in inner)))
        subject = unfold(str(inner[0].get("Subject", ""))) if inner else ""
        self._attach(Attachment(subject or _file_name(part), "message/rfc822", 0))
        return ""

    def _attach(self, attachment: Attachment) -> None:
        if len(self.attachments) >= MAX_ATTACHMENTS:
            self.note(f"it has more than {MAX_ATTACHMENTS} attachments")
        else:
            self.attachments.append(attachment)


def _decoded(part: Parts) -> str:
    payload = part.get_payload(decode=True)
    data = payload if isinstance(payload, bytes) else b""
    try:
        charset = part.get_content_charset() or ""
    except (UnicodeError, LookupError, ValueError, TypeError):  # RFC 2231 gone wrong inside the charset's name
        charset = ""
    return decode_as(data, charset)


def _file_name(part: Parts) -> str:
    try:
        name = part.get_filename() or ""
    except (UnicodeError, LookupError, ValueError, TypeError, IndexError):  # RFC 2231 gone wrong
        return ""
    # What the sender calls a file never becomes a path.
    return unfold(name).replace("\\", "/").rpartition("/")[2][:200]


def _size(part: Parts) -> int:
    """Bytes when unpacked, told from the encoded length without unpacking."""
    payload = part.get_payload()
    if not isinstance(payload, str):
        return 0
    encoding = str(part.get("Content-Transfer-Encoding", "")).strip().lower()
    if encoding == "base64":
        filled = len(payload) - payload.count("\n") - payload.count("\r")
        return max(0, filled * 3 // 4 - payload.rstrip()[-2:].count("="))
    return len(payload)

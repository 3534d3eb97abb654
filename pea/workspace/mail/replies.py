"""A mail's body is cut into what its sender wrote, what is quoted from others, and the signature.

The method is that of GitHub's email_reply_parser: lines are read from the bottom up, so that what trails the reply is
known as such before the reply is reached. Added to it are Outlook's header blocks, quote headers in other languages,
and signatures without a blank line above.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

MAX_LINES = 5_000
_QUOTED = re.compile(r"\s?>")
_ATTRIBUTION = re.compile(
    r"(?:On\b.*\bwrote|Am\b.*\bschrieb\b.*|Le\b.*\ba écrit|El\b.*\bescribió|Il\b.*\bha scritto|Op\b.*\bschreef\b.*|"
    r"Den\b.*\bskrev\b.*|W dniu\b.*\bnapisał.*|Em\b.*\bescreveu|"
    r"[^\n]{0,120}<[^<>\s]+@[^<>\s]+> (?:wrote|writes|schrieb))\s?:\s*$",
    re.IGNORECASE,
)
_ATTRIBUTION_START = re.compile(r"(?:On|Am|Le|El|Il|Op|Den|Em|W dniu)\s")
_FROM = re.compile(r"\*?(?:From|Von|De|Da|Van|Från|Fra)\s?:\*?\s.+")
_HEADER = re.compile(
    r"\*?(?:From|Sent|To|Cc|Subject|Date|Reply-To|Von|Gesendet|An|Betreff|Datum|De|Envoyé|À|Objet|Para|Enviado|Asunto|"
    r"Da|Inviato|A|Oggetto|Van|Verzonden|Aan|Onderwerp)\s?:\*?(?:\s.+|$)"
)
_DIVIDER = re.compile(
    r"\s*(?:-{2,}\s*(?:Original Message|Forwarded message|Ursprüngliche Nachricht|Message d'origine|"
    r"Mensaje original|Weitergeleitete Nachricht)\s*-{2,}|Begin forwarded message:)\s*$",
    re.IGNORECASE,
)
_RULE = re.compile(r"\s?[_\-\u2014]{7,}\s*$")
_SIGNATURE = re.compile(
    r"(?:--|__|\u2014$|-\w)|Sent from my (?:\w+\s*){1,3}$|Get Outlook for \w+|Von meinem \w+ gesendet"
)
_DASH_NAME = re.compile(r"-\w+(?: [\w.]+){0,3}$")
_SIGNATURE_LINES = 12


class Fragment(msgspec.Struct, frozen=True):
    """A run of lines of one kind; ``hidden`` when nothing but quotes and signatures follows it."""

    text: str
    quoted: bool = False
    headers: bool = False
    signature: bool = False
    hidden: bool = False


class Parts(msgspec.Struct, frozen=True):
    """A body in three: the reply itself, what it quotes, and how it is signed."""

    reply: str
    quoted: str = ""
    signature: str = ""


def split_body(text: str) -> Parts:
    """Cut a body; quotes between the reply's paragraphs leave it too, so only its sender's own words remain."""
    found = fragments(text)
    reply = [f.text for f in found if not (f.hidden or f.quoted or f.headers or f.signature)]
    quoted = [f.text for f in found if f.quoted or f.headers or (f.hidden and not f.signature)]
    signature = [f.text for f in found if f.signature and not f.quoted]
    return Parts(*("\n".join(part.strip("\n") for part in parts).strip() for parts in (reply, quoted, signature)))


def fragments(text: str) -> list[Fragment]:
    """The body's fragments in order."""
    lines = list(_prepared(text.replace("\r\n", "\n").replace("\r", "\n").split("\n")[:MAX_LINES]))
    blocks = _header_blocks(lines)
    drafts: list[_Draft] = []
    current: _Draft | None = None
    for number in range(len(lines) - 1, -1, -1):
        line = lines[number]
        attribution = _ATTRIBUTION.match(line.strip()) is not None
        quoted = _QUOTED.match(line) is not None
        headers = not quoted and (attribution or number in blocks or _DIVIDER.match(line) is not None)
        blank = not line.strip()
        if current and blank and current.signs():
            current.signature = True
            drafts.append(current)
            current = None
        if current and current.takes(quoted=quoted, headers=headers, attribution=attribution, blank=blank):
            current.lines.append(line)
            if line.rstrip() == "--":  # RFC 3676's delimiter needs no blank line above
                current.signature = True
                drafts.append(current)
                current = None
        else:
            if current:
                drafts.append(current)
            current = _Draft(line, quoted=quoted, headers=headers)
    if current:
        current.signature = current.signs() and bool(drafts) and not current.quoted
        drafts.append(current)
    return _shown(drafts)


class _Draft:
    """A fragment that is still growing upwards: its lines stand in reverse."""

    __slots__ = ("headers", "lines", "quoted", "signature")

    def __init__(self, line: str, *, quoted: bool, headers: bool) -> None:
        self.lines = [line]
        self.quoted = quoted
        self.headers = headers
        self.signature = False

    def signs(self) -> bool:
        """Whether the topmost line begins a signature."""
        top = self.lines[-1].strip()
        if self.quoted or self.headers or not _SIGNATURE.match(top):
            return False
        filled = sum(1 for line in self.lines if line.strip())
        dashed_word = top.startswith("-") and not top.startswith("--")
        return bool(_DASH_NAME.match(top)) and filled <= 4 if dashed_word else filled <= _SIGNATURE_LINES

    def takes(self, *, quoted: bool, headers: bool, attribution: bool, blank: bool) -> bool:
        """Whether the line above belongs to this fragment."""
        if self.quoted:
            return quoted or attribution or blank
        return not quoted and self.headers == headers

    def __str__(self) -> str:
        return "\n".join(reversed(self.lines)).strip("\n")


def _shown(drafts: list[_Draft]) -> list[Fragment]:
    """Mark as hidden, from the bottom, all that is quote, header, signature or blank before the first real words."""
    made: list[Fragment] = []
    visible = False
    for draft in drafts:
        text = str(draft)
        if draft.headers:  # all that stands below a header block is what it introduces
            visible = False
            made = [msgspec.structs.replace(f, hidden=True) for f in made]
        hidden = not visible and (draft.quoted or draft.headers or draft.signature or not text.strip())
        visible = visible or not hidden
        made.append(Fragment(text, draft.quoted, draft.headers, draft.signature, hidden))
    return made[::-1]


def _header_blocks(lines: list[str]) -> set[int]:
    """The lines of copied mail headers: a From and more right below; a lone ``Date:`` is the sender's own."""
    blocks: set[int] = set()
    for start, line in enumerate(lines):
        if start not in blocks and _FROM.match(line):
            end = start + 1
            while end < len(lines) and (_HEADER.match(lines[end]) or (lines[end][:1] in " \t" and lines[end].strip())):
                end += 1
            if any(_HEADER.match(other) for other in lines[start + 1 : end]):
                blocks.update(range(start, end))
    return blocks


def _prepared(lines: list[str]) -> Iterator[str]:
    """Join attributions that were wrapped before their ``wrote:`` and set rules apart from the text above them."""
    index = 0
    while index < len(lines):
        line = lines[index].rstrip()
        if _ATTRIBUTION_START.match(line) and not _ATTRIBUTION.match(line):
            for more in (1, 2, 3):
                joined = " ".join(part.strip() for part in lines[index : index + more + 1])
                following = lines[index + more].strip() if index + more < len(lines) else ""
                if not following:
                    break
                if _ATTRIBUTION.match(joined) and not any(map(_QUOTED.match, lines[index : index + more + 1])):
                    line, index = joined, index + more
                    break
        if index + 1 < len(lines) and line.strip() and _RULE.match(lines[index + 1]):
            yield line
            line = ""
        yield line
        index += 1

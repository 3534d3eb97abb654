"""What in a mail may be phishing: its facts are read once from the raw bytes, and judged against whom the user knows.

The facts are those that a Message does not keep: what the receiving server found (Authentication-Results, RFC 8601),
where links really lead, who would get the answer. Judging is a table of signs with points and reasons; nothing in a
mail is followed, fetched or executed.
"""

from __future__ import annotations

import email.parser
import html
import re
from collections.abc import Iterable
from datetime import datetime
from email.message import Message as Parts
from urllib.parse import urlsplit

import msgspec

from pea.workspace.mail import parse_message
from pea.workspace.mail.headers import addresses, unfold
from pea.workspace.mail.parse import MAX_MESSAGE_BYTES
from pea.workspace.phishing_domains import domain_of, look_alike, organisation
from pea.workspace.text.decode import decode_as

MAX_HTML_CHARS = 200_000
MAX_LINKS = 100
MAX_PARTS = 200
_ANCHOR = re.compile(
    r"<a\s[^<>]{0,2000}?\bhref\s*=\s*(?:\"([^\"<>]{1,2000})\"|'([^'<>]{1,2000})'|([^\s\"'<>]{1,2000}))[^<>]{0,2000}>"
    r"((?:[^<]|<(?!/?a\b)){0,1000})",
    re.IGNORECASE,
)
_TAGS = re.compile(r"<[^<>]{0,2000}>")
_URL = re.compile(r"\bhttps?://[^\s<>\"')\]]{4,2000}", re.IGNORECASE)
_SHOWN = re.compile(r"(?:https?://)?((?:[a-z0-9-]{1,63}\.){1,6}[a-z]{2,24})(?:[/:?#]|\s*$)", re.IGNORECASE)
_RESULT = re.compile(r"\b(spf|dkim|dmarc|arc)\s*=\s*([a-z]{2,12})", re.IGNORECASE)
_URGENT = re.compile(
    r"\b(?:urgent(?:ly)?|immediate(?:ly)? (?:action|attention)|act now|within (?:24|48|72) hours|"
    r"expires? (?:today|soon)|will be (?:suspended|closed|deactivated|locked|blocked|disabled|deleted)|"
    r"account (?:has been )?(?:suspended|locked)|"
    r"final (?:notice|warning)|last warning|sofort|umgehend|dringend|gesperrt|innerhalb von (?:24|48|72) stunden|"
    r"läuft (?:heute )?ab)\b",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"\b(?:(?:verify|confirm|update|validate|re-?enter) your (?:\w+ ){0,2}(?:account|password|identity|details|payment|"
    r"information|mailbox|credentials)|(?:enter|keep|use) your (?:\w+ ){0,2}password|log ?in (?:here|below|now)|"
    r"click (?:here|below|the link)|bestätigen sie ihr|passwort (?:bestätigen|eingeben|aktualisieren)|"
    r"(?:hier|link) (?:klicken|anklicken)|gift cards?|wire transfer|change of (?:bank|account) details|"
    r"new bank (?:account|details)|neue bankverbindung|bitcoin|crypto wallet|seed phrase)\b",
    re.IGNORECASE,
)
_INSTRUCTS = re.compile(
    r"\b(?:ignore (?:all |any )?(?:previous|prior|earlier|above) (?:instructions|prompts)|"
    r"system (?:note|prompt|message) "
    r"(?:to|for) the (?:assistant|ai|model)|(?:note|instructions?) (?:to|for) (?:the )?(?:ai|assistant|model)|"
    r"you are (?:now )?an? (?:ai|assistant|language model))",
    re.IGNORECASE,
)
_RUNS = """
    exe scr com pif bat cmd js jse vbs vbe wsf hta lnk ps1 msi iso img vhd jar apk reg cpl dll chm one xll docm xlsm
    pptm dotm htm html shtml svg
"""
_RISKY = frozenset(_RUNS.split())
_DOUBLE = re.compile(r"\.(?:pdf|docx?|xlsx?|jpe?g|png|txt|zip)\s*\.[a-z0-9]{2,4}$", re.IGNORECASE)
_SHORTENERS = frozenset("bit.ly tinyurl.com t.co goo.gl is.gd ow.ly rb.gy cutt.ly tiny.cc s.id".split())  # noqa: SIM905


class Link(msgspec.Struct, frozen=True):
    """Where a link leads (``host``) and, when its text names an address, the host it shows."""

    host: str
    shown: str = ""


class MailFacts(msgspec.Struct, frozen=True):
    """What is to be known of one mail to judge it; addresses in lower case, phrases word for word."""

    id: str
    subject: str = ""
    sender: str = ""
    sender_name: str = ""
    reply_to: str = ""
    return_path: str = ""
    date: datetime | None = None
    auth: dict[str, str] = {}
    links: tuple[Link, ...] = ()
    attachments: tuple[str, ...] = ()
    urgent: str = ""
    asks: str = ""
    instructs: str = ""
    form: bool = False
    bulk: bool = False


class Sign(msgspec.Struct, frozen=True):
    """One thing that speaks for (or, below zero, against) phishing."""

    code: str
    points: int
    why: str


class Known(msgspec.Struct, frozen=True):
    """Whom the user knows: own addresses, addresses written to, organisations trusted, and names by address."""

    mine: frozenset[str] = frozenset()
    written_to: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()
    names: dict[str, str] = {}


def facts_of(data: bytes) -> tuple[MailFacts, str]:
    """One mail's facts, and its text for other scans. Never raises on its content."""
    message = parse_message(data)
    raw = data[:MAX_MESSAGE_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")
    try:
        mail = email.parser.BytesParser().parsebytes(raw)
        headers, pages = _headers(mail), _pages(mail)
    except Exception:  # noqa: BLE001 - the standard parser raises RecursionError, KeyError … on odd mails
        headers, pages = {}, ""
    text = f"{message.subject}\n{message.text}\n{message.quoted}"
    urgent, asks, instructs = _URGENT.search(text), _ASKS.search(text), _INSTRUCTS.search(text)
    facts = MailFacts(
        id=message.id,
        subject=message.subject[:200],
        sender=message.sender.email if message.sender else "",
        sender_name=message.sender.name if message.sender else "",
        reply_to=message.reply_to[0].email if message.reply_to else "",
        return_path=next((a.email for a in addresses(headers.get("return-path", [])[:1])), ""),
        date=message.date,
        auth=_auth(headers.get("authentication-results", [])),
        links=_links(pages, message.text),
        attachments=tuple(a.name for a in message.attachments if a.name)[:50],
        urgent=urgent[0] if urgent else "",
        asks=asks[0] if asks else "",
        instructs=instructs[0] if instructs else "",
        form="<form" in pages.lower(),
        bulk=bool(message.bulk or message.list_id),
    )
    return facts, text


def judge(mail: MailFacts, known: Known) -> tuple[Sign, ...]:
    """The signs in one mail, the strongest first; a mail without any is told by an empty tuple."""
    if mail.sender in known.mine and mail.auth.get("dmarc", "") != "fail":
        return ()
    signs = [*_of_sender(mail, known), *_of_server(mail), *_of_links(mail, known), *_of_content(mail)]
    if signs and mail.sender in known.written_to and mail.auth.get("dmarc") != "fail":
        signs.append(Sign("known-sender", -2, "you have written to this address before"))
    return tuple(sorted(signs, key=lambda sign: -sign.points))


def _of_sender(mail: MailFacts, known: Known) -> Iterable[Sign]:
    domain = domain_of(mail.sender)
    if domain and organisation(domain) not in known.domains:
        twin = look_alike(domain, known.domains)
        if twin:
            yield Sign("look-alike", 5, f"{domain} looks like {twin}, which you know, and is not it")
    claimed = known.names.get(mail.sender_name.casefold(), "")
    if claimed and domain and organisation(domain_of(claimed)) != organisation(domain) and mail.sender != claimed:
        yield Sign("borrowed-name", 4, f"it bears the name of {mail.sender_name}, whose address is another")
    named = re.search(r"[\w.+-]+@([\w-]+\.)+[a-z]{2,}", mail.sender_name.lower())
    if named and organisation(domain_of(named[0])) != organisation(domain):
        yield Sign("name-is-address", 4, f"the sender's name is the address {named[0]}, and the address is another")
    answers = domain_of(mail.reply_to)
    if answers and domain and organisation(answers) != organisation(domain) and not mail.bulk:
        yield Sign("reply-to", 2, f"an answer would go to {answers}, not to {domain}")


def _of_server(mail: MailFacts) -> Iterable[Sign]:
    """What the receiving server found; a mail without a verdict is not held against it."""
    for method, points in (("dmarc", 4), ("spf", 2), ("dkim", 2)):
        verdict = mail.auth.get(method, "")
        if verdict in ("fail", "permerror"):
            yield Sign(method, points, f"your mail server noted {method.upper()}={verdict}")
        elif verdict == "softfail":
            yield Sign(method, 1, f"your mail server noted {method.upper()}={verdict}")


def _of_links(mail: MailFacts, known: Known) -> Iterable[Sign]:
    told: set[str] = set()
    for link in mail.links:
        real = organisation(link.host)
        if link.shown and organisation(link.shown) != real and not mail.bulk:
            if "mismatch" not in told:
                yield Sign("link-mismatch", 4, f"a link shows {link.shown} and leads to {link.host}")
            told.add("mismatch")
        if re.fullmatch(r"[\d.]+|\[?[0-9a-f:]+\]?", link.host) and "ip" not in told:
            told.add("ip")
            yield Sign("link-to-number", 3, f"a link leads to the bare address {link.host}")
        if real in _SHORTENERS and "short" not in told:
            told.add("short")
            yield Sign("short-link", 1, f"a link hides where it leads ({link.host})")
        if "xn--" in link.host and "puny" not in told:
            told.add("puny")
            yield Sign("punycode-link", 2, f"a link leads to a name in look-alike letters ({link.host})")
        twin = look_alike(link.host, known.domains) if real not in known.domains else ""
        if twin and "twin" not in told:
            told.add("twin")
            yield Sign("link-look-alike", 4, f"a link leads to {link.host}, which looks like {twin}")


def _of_content(mail: MailFacts) -> Iterable[Sign]:
    if mail.asks:
        yield Sign("asks", 2, f"it asks for what phishing asks for: “{mail.asks}”")
    if mail.urgent:
        yield Sign("urgency", 1, f"it presses: “{mail.urgent}”")
    if mail.instructs:
        yield Sign(
            "instructs", 4, f"it tries to give orders to an assistant: “{mail.instructs}”; they were not followed"
        )
    if mail.form:
        yield Sign("form", 2, "it holds a form to fill in")
    for name in mail.attachments:
        suffix = name.rpartition(".")[2].lower()
        if _DOUBLE.search(name) and suffix in _RISKY:
            yield Sign("double-name", 5, f"the attachment {name[:80]!r} hides what it is")
        elif suffix in _RISKY:
            yield Sign("attachment", 3, f"the attachment {name[:80]!r} can run programs or forge a page")


def _headers(mail: Parts) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in list(mail.raw_items())[:2_000]:
        found.setdefault(name.lower(), []).append(str(value))
    return found


def _auth(values: list[str]) -> dict[str, str]:
    """The verdicts of the topmost Authentication-Results: lower ones may be the sender's own."""
    verdicts: dict[str, str] = {}
    for value in values[:1]:
        for method, verdict in _RESULT.findall(unfold(value)):
            verdicts.setdefault(method.lower(), verdict.lower())
    return verdicts


def _pages(mail: Parts) -> str:
    """The HTML parts of a mail, within bounds."""
    pages: list[str] = []
    for count, part in enumerate(mail.walk()):
        if count >= MAX_PARTS or sum(map(len, pages)) > MAX_HTML_CHARS:
            break
        if part.get_content_type() == "text/html":
            payload = part.get_payload(decode=True)
            if isinstance(payload, bytes):
                pages.append(decode_as(payload[: 4 * MAX_HTML_CHARS], str(part.get_content_charset() or "")))
    return "\n".join(pages)[:MAX_HTML_CHARS]


def _links(pages: str, text: str) -> tuple[Link, ...]:
    found: dict[Link, None] = {}
    for match in _ANCHOR.finditer(pages):
        host = host_of(html.unescape(match[1] or match[2] or match[3] or ""))
        if host:
            shown = _SHOWN.match(" ".join(html.unescape(_TAGS.sub(" ", match[4])).split()))
            found[Link(host, shown[1].lower() if shown else "")] = None
    for url in _URL.findall(text):
        if host := host_of(url):
            found.setdefault(Link(host))
    return tuple(found)[:MAX_LINKS]


def host_of(url: str) -> str:
    """The host that a web address leads to, in lower case; empty when it is none."""
    try:
        parts = urlsplit(url.strip())
        return (parts.hostname or "").lower().strip(".")[:253] if parts.scheme.lower() in ("http", "https") else ""
    except ValueError:
        return ""

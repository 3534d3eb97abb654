"""Keys, tokens and passwords: by the structure their makers gave them, else by their name and their randomness."""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
import zlib
from collections import Counter
from collections.abc import Iterator

from pea.workspace.privacy_finding import Finding, Kind, finding

PRIVATE_KEY = Kind("private key", "secret", "critical")
TOKEN = Kind("access token", "secret", "critical")
PASSWORD = Kind("password", "secret", "high")
KINDS = (PRIVATE_KEY, TOKEN, PASSWORD)
MIN_ENTROPY = 3.0  # bits a character; words have about 2.5, base64 of random bytes about 5

_PEM = re.compile(r"-----BEGIN ((?:[A-Z0-9]+ ){0,3})PRIVATE KEY(?: BLOCK)?-----")
# What a text must hold for the expression below to be worth running.
_MARKS = {
    "AWS access key": ("AKIA", "ASIA"),
    "GitHub token": ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
    "GitHub fine-grained token": ("github_pat_",),
    "GitLab token": ("glpat-",),
    "Slack token": ("xox",),
    "Slack webhook": ("hooks.slack",),
    "Stripe key": ("_live_",),
    "Google API key": ("AIza",),
    "OpenAI key": ("sk-",),
    "Anthropic key": ("sk-ant-",),
    "npm token": ("npm_",),
    "PyPI token": ("pypi-",),
    "SendGrid key": ("SG.",),
    "Twilio key": ("SK",),
    "Azure storage key": ("AccountKey=",),
    "Telegram bot token": (":AA",),
}
# Prefixes that their makers document so that such scanners can find them.
_TOKENS: tuple[tuple[str, str], ...] = (
    ("AWS access key", r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b"),
    ("GitHub token", r"\bgh[pousr]_[A-Za-z0-9]{36}\b"),
    ("GitHub fine-grained token", r"\bgithub_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}\b"),
    ("GitLab token", r"\bglpat-[A-Za-z0-9_-]{20,64}\b"),
    ("Slack token", r"\bxox[abeprs]-[A-Za-z0-9-]{20,250}\b"),
    ("Slack webhook", r"https://hooks\.slack\.com/services/T[A-Z0-9]{6,12}/B[A-Z0-9]{6,12}/[A-Za-z0-9]{20,30}"),
    ("Stripe key", r"\b(?:sk|rk)_live_[A-Za-z0-9]{20,120}\b"),
    ("Google API key", r"\bAIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])"),
    ("OpenAI key", r"\bsk-(?:proj-|svcacct-)?[A-Za-z0-9_-]{32,200}(?![A-Za-z0-9_-])"),
    ("Anthropic key", r"\bsk-ant-[A-Za-z0-9_-]{32,200}(?![A-Za-z0-9_-])"),
    ("npm token", r"\bnpm_[A-Za-z0-9]{36}\b"),
    ("PyPI token", r"\bpypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,250}"),
    ("SendGrid key", r"\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])"),
    ("Twilio key", r"\bSK[0-9a-f]{32}\b"),
    ("Azure storage key", r"AccountKey=[A-Za-z0-9+/]{86}=="),
    ("Telegram bot token", r"\b\d{8,10}:AA[A-Za-z0-9_-]{33}(?![A-Za-z0-9_-])"),
)
_KNOWN = tuple((name, _MARKS[name], re.compile(pattern)) for name, pattern in _TOKENS)
_JWT = re.compile(r"\beyJ[A-Za-z0-9_-]{8,2000}\.eyJ[A-Za-z0-9_-]{8,4000}\.[A-Za-z0-9_-]{16,1000}")
_IN_URL = re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@]{1,64}:(?P<value>[^\s/@]{3,128})@[\w.-]+")
_NAMED = re.compile(
    r"(?<![\w])(?P<name>pass(?:word|wort|code|phrase)|passwd|pwd|kennwort|mot de passe|contraseña|pin|"
    r"api[ _-]?key|secret(?:[ _-]?(?:access)?[ _-]?key)?|client[ _-]?secret|access[ _-]?token|auth[ _-]?token|token|"
    r"bearer)"
    r"(?:\s+(?:for|für|is|ist|lautet|to|of|is now)\b[^\n:=]{0,40})??"
    r"\s*(?:[:=]|\bis\b|\bist\b|\blautet\b)\s*(?P<quote>[\"'“„`]?)(?P<value>[^\s\"'“”„`<>]{4,200})",
    re.IGNORECASE,
)
_PLACEHOLDER = re.compile(
    r"^(?:[*•x.#_-]+|.{0,4}(?:your|dein|ihr|example|sample|changeme|placeholder|redacted|password|passwort|secret|"
    r"none|null|true|false|required|optional|here|todo|xxx).*|\$\{?.*|\{\{.*|<.*|%.*%|https?:.*|os\..*|getenv.*)$",
    re.IGNORECASE,
)


def find(text: str) -> Iterator[Finding]:
    """Every secret: private keys, tokens of known make, signed tokens, passwords in addresses and after their name."""
    if "PRIVATE KEY" in text:
        for match in _PEM.finditer(text):
            shown = f"{match[1].strip() or 'PKCS#8'} key"
            yield finding(PRIVATE_KEY, match[0], match.start(), "its header", shown=shown)
    for name, marks, pattern in _KNOWN:
        if not any(mark in text for mark in marks):
            continue
        for match in pattern.finditer(text):
            if name != "GitHub token" or _github(match[0]):
                shown = f"{match[0][:4]}… ({len(match[0])} characters)"
                yield finding(TOKEN, match[0], match.start(), f"{name}: its structure", shown=shown)
    for match in _JWT.finditer(text) if "eyJ" in text else ():
        if _is_jwt(match[0]):
            shown = f"eyJ… ({len(match[0])} characters)"
            yield finding(TOKEN, match[0], match.start(), "a signed token (JWT)", shown=shown)
    for match in _IN_URL.finditer(text) if "://" in text else ():
        if not _PLACEHOLDER.match(match["value"]):
            yield finding(PASSWORD, match["value"], match.start("value"), "it stands in an address", shown="••••")
    yield from _named(text)


def entropy(value: str) -> float:
    """Shannon's entropy of a value's characters, in bits a character."""
    counts = Counter(value)
    return -sum(n / len(value) * math.log2(n / len(value)) for n in counts.values())


def _named(text: str) -> Iterator[Finding]:
    for match in _NAMED.finditer(text):
        name, value = match["name"].lower(), match["value"].rstrip(".,;)!?")
        if len(value) < 4 or _PLACEHOLDER.match(value):
            continue
        if name == "pin":
            if value.isdigit() and 4 <= len(value) <= 8:
                yield finding(PASSWORD, value, match.start("value"), "it follows the word PIN", shown="••••")
        elif name.startswith(("pass", "pwd", "kennwort", "mot", "contra")):
            # A word of a sentence ("password is required") has no mark in it that a password would have.
            mixed = any(c.isdigit() for c in value) or any(not c.isalnum() for c in value) or match["quote"]
            if len(value) >= 6 and mixed and "@" not in value[1:]:
                yield finding(PASSWORD, value, match.start("value"), f"it follows the word {name}", shown="••••")
        elif len(value) >= 16 and entropy(value) >= MIN_ENTROPY and any(c.isdigit() for c in value):
            why = f"it follows {name!r} and is random ({entropy(value):.1f} bits a character)"
            yield finding(TOKEN, value, match.start("value"), why, shown=f"({len(value)} characters)")


def _github(token: str) -> bool:
    """Whether the last six characters are the CRC-32 of the rest in base 62, as GitHub makes its tokens."""
    body, check = token[4:-6], token[-6:]
    number, digits = zlib.crc32(body.encode()), ""
    alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    while number:
        number, rest = divmod(number, 62)
        digits = alphabet[rest] + digits
    return digits.rjust(6, "0") == check


def _is_jwt(token: str) -> bool:
    head = token.partition(".")[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return False
    return isinstance(header, dict) and "alg" in header

"""Names of organisations on the net: which part of a host is the organisation's, and which names look like another."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

# Second-level suffixes under which strangers register side by side. Not the whole public suffix list: two hosts of
# a suffix that is missing count as one organisation.
_SECOND = """
    co.uk org.uk ac.uk gov.uk com.au net.au org.au co.nz co.jp ne.jp or.jp com.br com.cn com.hk com.sg com.tr
    com.mx co.in co.za co.kr co.il com.ar com.tw com.ua com.pl github.io gitlab.io web.app firebaseapp.com
    netlify.app vercel.app
    pages.dev workers.dev herokuapp.com azurewebsites.net blogspot.com wordpress.com weebly.com wixsite.com
    appspot.com r2.dev
"""
_SUFFIXES = frozenset(_SECOND.split())
# Letters that are drawn alike; digits for letters.
_ALIKE = str.maketrans("0135iıаеорсхуі", "olesllaeopcxyl")  # noqa: RUF001 - the Cyrillic ones are meant
MIN_NAME = 5  # letters; shorter names are near to everything
_ADDED = ("secure", "login", "account", "support", "service", "verify", "update", "mail", "online", "portal")


def domain_of(address: str) -> str:
    """What follows the ``@``, in lower case."""
    return address.rpartition("@")[2].lower() if "@" in address else ""


def organisation(host: str) -> str:
    """The part of a host that somebody registered: ``mail.example.co.uk`` is ``example.co.uk``."""
    labels = host.lower().strip(".").split(".")
    kept = 3 if ".".join(labels[-2:]) in _SUFFIXES else 2
    return ".".join(labels[-kept:])


def look_alike(host: str, known: Iterable[str]) -> str:
    """The known organisation that a host would be taken for, though it is not; empty when there is none."""
    mine = organisation(host)
    name, everything = _skeleton(mine.partition(".")[0]), _skeleton(host)
    for other in sorted(known):
        theirs = other.partition(".")[0]
        if mine == other or len(theirs) < MIN_NAME:
            continue
        other_name = _skeleton(theirs)
        if name == other_name or _distance_one(name, other_name):
            return other
        # havelmark-login.example, havelmark-login.evil.test, havelmark.example.evil.test
        if any(other_name in _skeleton(label) and any(word in label for word in _ADDED) for label in host.split(".")):
            return other
        if f"{_skeleton(other)}." in f"{everything}." and not everything.endswith(_skeleton(other)):
            return other
    return ""


def _skeleton(name: str) -> str:
    """A name as the eye takes it: punycode read, accents dropped, look-alike letters made one."""
    try:
        read = name.encode("ascii").decode("idna") if "xn--" in name else name
    except (UnicodeError, ValueError):
        read = name
    plain = "".join(c for c in unicodedata.normalize("NFKD", read.lower()) if not unicodedata.combining(c))
    return plain.translate(_ALIKE).replace("rn", "m").replace("vv", "w").replace("-", "")


def _distance_one(one: str, other: str) -> bool:
    """Whether one change, addition, loss or exchange of neighbours makes one name the other."""
    if abs(len(one) - len(other)) > 1 or min(len(one), len(other)) < MIN_NAME:
        return False
    at = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    a, b = one[at:], other[at:]
    if len(a) == len(b):
        return a[1:] == b[1:] or (a[:2] == b[:2][::-1] and a[2:] == b[2:])
    return a[1:] == b or a == b[1:]

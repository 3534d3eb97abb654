"""Telling a meeting that takes place online from one that takes place somewhere."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

# Hosts whose links are joined, not visited; a host matches with all its subdomains.
_HOSTS = (
    "zoom.us",
    "zoom.com",
    "zoomgov.com",
    "teams.microsoft.com",
    "teams.live.com",
    "meet.google.com",
    "hangouts.google.com",
    "webex.com",
    "whereby.com",
    "meet.jit.si",
    "gotomeeting.com",
    "goto.com",
    "bluejeans.com",
    "chime.aws",
    "bigbluebutton.org",
    "livestorm.co",
    "around.co",
    "join.skype.com",
    "facetime.apple.com",
    "discord.gg",
    "ringcentral.com",
    "meet.proton.me",
)
_URL = re.compile(r"https?://[^\s<>\"'\]})]+", re.IGNORECASE)
_WORDS = re.compile(
    r"(?:(?:microsoft |ms )?teams(?:[ -]?(?:meeting|besprechung|call))?|zoom(?:[ -]?(?:meeting|call))?|google meet|"
    r"webex|skype|slack(?: huddle)?|facetime|jitsi|hangouts?|online|virtual|remote|video ?(?:call|conference)|"
    r"(?:conference |phone )?call|telefon|phone|telco|web(?:inar| ?conference)|dial[ -]?in|tbd|tba|t\.b\.d\.)"
    r"(?:\s*(?:link|details)?\s*(?:in|see|siehe)\b.*)?",
    re.IGNORECASE,
)
_MAP = re.compile(r"https?://[^\s/]*(?:maps\.|openstreetmap\.|goo\.gl/maps|what3words\.)|/maps[/?]", re.IGNORECASE)
MAX_SCANNED = 20_000


def join_link(*texts: str) -> str:
    """The first link to an online meeting in any of the texts, or nothing."""
    for text in texts:
        for url in _URL.findall(text[:MAX_SCANNED]):
            if _is_meeting(url):
                return str(url).rstrip(".,;")
    return ""


def is_online(location: str) -> bool:
    """Does a location name no place on Earth: a link, a service (``Zoom``), a telephone, ``tbd``."""
    text = location.strip()[:MAX_SCANNED]
    without = _URL.sub("", text).strip(" ,;:-\u2013\u2014()")
    linked = without != text and not _MAP.search(text)
    return (linked and not without) or bool(_WORDS.fullmatch(without)) or text.lower().startswith(("tel:", "sip:"))


def location_link(location: str) -> str:
    """The link in a location that is online, whatever its host; nothing for a map of a place."""
    found = _URL.search(location[:MAX_SCANNED])
    return str(found[0]).rstrip(".,;") if found and is_online(location) else ""


def _is_meeting(url: str) -> bool:
    try:
        host = (urlsplit(url).hostname or "").lower()
    except ValueError:
        return False
    return any(host == known or host.endswith("." + known) for known in _HOSTS)

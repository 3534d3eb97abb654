"""Takes secrets out of log lines: the last of several guards, for what a library puts into an error's text.

Nothing of PEA logs a token, a cookie or a password on purpose. An exception of somebody else's may carry an address
with a password in it, or a header.
"""

from __future__ import annotations

import re
from typing import Any

_SECRET = re.compile(
    r"(?P<token>pea_[0-9a-f]{12}_)[A-Za-z0-9_-]{43}"
    r"|(?P<scheme>\b(?:bearer|basic)\s+)(?=\S{8})[^\s\"'\\,;]+"
    r"|(?P<place>[a-z][a-z0-9+.-]{1,20}://)[^\s/@\"']*:[^\s/@\"']*@",
    re.ASCII | re.IGNORECASE,
)


def redact(text: str) -> str:
    """The text with tokens, the credentials of headers and the passwords of addresses replaced by ``…``."""
    return _SECRET.sub(_hidden, text)


def redact_line(_logger: Any, _method: str, line: Any) -> str:
    """`redact` as structlog's last processor, after the one that has made the line a text."""
    return redact(line)


def _hidden(match: re.Match[str]) -> str:
    if match["place"]:
        return f"{match['place']}…@"
    return f"{match['token'] or match['scheme']}…"

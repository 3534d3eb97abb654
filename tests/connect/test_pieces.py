"""A calendar that a server gives in pieces."""

from __future__ import annotations

from typing import Any

import pytest

from pea.connect import Refused, caldav
from pea.connect.caldav import Known, Remote
from pea.connect.dav import Answer

HOME = "https://dav.example.org/nora/work/"
PIECE = """<multistatus xmlns="DAV:"><response><href>{home}</href><status>HTTP/1.1 507 Insufficient Storage</status>
</response><response><href>{home}1.ics</href><propstat><prop><getetag>"1"</getetag></prop>
<status>HTTP/1.1 200 OK</status></propstat></response><sync-token>{token}</sync-token></multistatus>"""


class Stuck:
    """A server that cuts its answer off and gives the token that it was given, which no server here does."""

    name = "work"

    async def request(self, method: str, url: str, *_: Any) -> Answer:
        return Answer(207, "", url, PIECE.format(home=HOME, token="").encode(), {})


async def test_a_piece_is_never_taken_for_the_whole() -> None:
    """What it did not come to would count as deleted."""
    remote = Remote(HOME, "Work", "token-9", "")
    with pytest.raises(Refused, match="never comes to an end with its changes"):
        await caldav._changes(Stuck(), remote, Known(name="Work"))  # type: ignore[arg-type]

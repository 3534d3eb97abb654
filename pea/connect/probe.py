"""Whether an account works, found out by talking to its server without changing anything."""

from __future__ import annotations

from pea.config import Settings
from pea.connect import accounts, caldav
from pea.connect.connectors import Connectors
from pea.connect.imap import folder


async def probe(settings: Settings, name: str) -> str:
    """What the server of an account offers, in a few words. Raises a PeaError that says what is wrong."""
    account = settings.connect.accounts[name]
    accounts.check(name, account)
    accounts.password(name, account)
    own = Connectors(settings, account.kind)
    where = accounts.server(account)
    try:
        match account.kind:
            case "caldav":
                found = await caldav.calendars(own.http(name), account)
                return f"{where}: calendars {', '.join(repr(one.name) for one in found) or 'none'}"
            case "imap":
                wanted = (*account.folders, account.drafts, account.sent)
                missing = await own.imap(name).run(
                    "LIST", lambda client: [one for one in wanted if one and folder(client, one) is None]
                )
                return f"{where}: logged in" + (f"; there is no folder {', '.join(missing)}" if missing else "")
            case "smtp":
                await own.smtp(name).greet()
                return f"{where}: takes mail"
            case "web":
                answer = await own.http(name).request("GET", account.url, limit=int(account.max_item))
                return f"{where}: answers {answer.status}"
    finally:
        await own.aclose()

"""Keeping a mail in a folder on the IMAP server exactly once: looked for by its Message-ID before it is appended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pea.connect.failures import Refused
from pea.connect.imap import Imap, folder

if TYPE_CHECKING:
    from imapclient import IMAPClient


class Kept(msgspec.Struct, frozen=True):
    """Where a mail is now, and whether it had been there before."""

    folder: str
    again: bool


async def keep(box: Imap, name: str, message_id: str, data: bytes, *, draft: bool = False) -> Kept:
    """Append a mail to a folder, unless it is there. Raises as `Imap.run`, and Refused when there is no such folder."""

    def work(client: IMAPClient) -> Kept:
        found = folder(client, name)
        if found is None:
            raise Refused(
                f"there is no folder {name!r}",
                where=box.place,
                fix=f"make it, or set drafts and sent of connect.accounts.{box.name}",
            )
        if _search(client, found, message_id):
            return Kept(found, again=True)
        client.append(found, data, (b"\\Draft", b"\\Seen") if draft else (b"\\Seen",))
        return Kept(found, again=False)

    return await box.run("APPEND", work)


async def there(box: Imap, name: str, message_id: str) -> bool:
    """Whether a folder has this mail. Raises as `Imap.run`."""

    def work(client: IMAPClient) -> bool:
        found = folder(client, name)
        return found is not None and _search(client, found, message_id)

    return await box.run("SEARCH", work)


def _search(client: IMAPClient, found: str, message_id: str) -> bool:
    client.select_folder(found, readonly=True)
    return bool(client.search(["HEADER", "Message-ID", message_id]))

"""The process behind `tests.connect.servers.Mailman`: python mailman.py PORT FOLDER."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP


class Keep:
    """Takes every mail, unless a file in the folder says otherwise."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.count = folder, len(list(folder.glob("*.eml")))

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if (self.folder / "refuse").exists():
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if (self.folder / "busy").exists():
            return "451 4.3.0 try later"
        self.count += 1
        (self.folder / f"{self.count:04}.eml").write_bytes(envelope.content)
        if (self.folder / "hold").exists():
            await asyncio.Event().wait()
        return "250 OK"


async def main(port: int, folder: Path) -> None:
    """Serve until killed."""
    keep = Keep(folder)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(keep, hostname="post.test", loop=loop), "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2])))

"""The process behind `tests.connect.servers.Mailman`: mailman.py PORT FOLDER [tls|starttls CERT KEY USER PASSWORD]."""

from __future__ import annotations

import asyncio
import ssl
import sys
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


class Keep:
    """Takes every mail, unless a file in the folder says otherwise."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.count = folder, len(list(folder.glob("*.eml")))

    async def handle_EHLO(
        self, server: Any, session: Any, envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        server.greet()
        return responses

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if (self.folder / "once").exists() and server.taken:
            return "421 4.7.0 one mail on a connection"
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if (self.folder / "refuse").exists():
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if (self.folder / "busy").exists():
            return "451 4.3.0 try later"
        self.count += 1
        server.taken += 1
        (self.folder / f"{self.count:04}.eml").write_bytes(envelope.content)
        if (self.folder / "hold").exists():
            await asyncio.Event().wait()
        return "250 OK"


class Counted(SMTP):
    """Writes down when somebody who said hello came and went."""

    taken = 0
    greeted = False

    def greet(self) -> None:
        if not self.greeted:
            self._note("opened")
        self.greeted = True

    def connection_lost(self, error: Exception | None) -> None:
        if self.greeted:
            self._note("closed")
        super().connection_lost(error)

    def _note(self, what: str) -> None:
        with (self.event_handler.folder / "connections").open("a") as log:
            log.write(what + "\n")


async def main(port: int, folder: Path, tls: str = "", certificate: str = "", key: str = "", *login: str) -> None:
    """Serve until killed."""
    keep = Keep(folder)
    loop = asyncio.get_running_loop()
    context = None
    if tls:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
    user, secret = (one.encode() for one in login) if login else (b"", b"")

    def check(server: Any, session: Any, envelope: Any, mechanism: str, given: Any) -> AuthResult:
        right = isinstance(given, LoginPassword) and (given.login, given.password) == (user, secret)
        return AuthResult(success=right, handled=False)

    def made() -> SMTP:
        return Counted(
            keep,
            hostname="post.test",
            loop=loop,
            tls_context=context if tls == "starttls" else None,
            require_starttls=tls == "starttls",
            authenticator=check if login else None,
            auth_required=bool(login),
            auth_require_tls=tls == "starttls",
        )

    server = await loop.create_server(made, "127.0.0.1", port, ssl=context if tls == "tls" else None)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:]))

"""Real servers on loopback ports: Radicale (CalDAV), Dovecot (IMAP) and aiosmtpd (SMTP), each with its own folder."""

from __future__ import annotations

import getpass
import grp
import imaplib
import os
import pwd
import shutil
import ssl
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from base64 import b64encode
from pathlib import Path
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from tests.connect.certificates import Shown
from tests.ports import await_port, free_port

USER, PASSWORD = "nora", "canary-7c1f-swordfish"


class Program:
    """A server process that can be stopped and started again on the same port with the same data."""

    def __init__(self, command: list[str], port: int, log: Path) -> None:
        self.command, self.port, self._log = command, port, log
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log)
        await_port(self.port, self.process)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(20)
            self.process = None


class Dav:
    """A CalDAV server with one user, whose calendars are made with `make`."""

    url: str
    home: str  # where the user's calendars are
    program: Program
    context: ssl.SSLContext | None = None

    def make(self, calendar: str, name: str) -> str:
        body = (
            '<?xml version="1.0"?><C:mkcalendar xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><set><prop>'
            f"<displayname>{escape(name)}</displayname></prop></set></C:mkcalendar>"
        )
        status, _, told = self.send("MKCALENDAR", f"{self.home}{calendar}/", body)
        assert status == 201, (status, told)
        return f"{self.home}{calendar}/"

    def send(self, method: str, path: str, body: str = "", **headers: str) -> tuple[int, str, str]:
        """A request as another program of the user sends it: status, ETag, body."""
        own = {name.replace("_", "-"): value for name, value in headers.items()}
        token = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        request = urllib.request.Request(
            self.url + path, body.encode() or None, {"Authorization": f"Basic {token}", **own}, method=method
        )
        kind = "text/calendar" if body.startswith("BEGIN:VCALENDAR") else "application/xml"
        request.add_header("Content-Type", f"{kind}; charset=utf-8")
        try:
            with urllib.request.urlopen(request, context=self.context) as answer:
                return answer.status, answer.headers.get("ETag", ""), answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, "", error.read().decode()

    def events(self, path: str) -> dict[str, tuple[int, str, str]]:
        """A calendar's events as they are: what `send` has of each."""
        listed = ET.fromstring(self.send("PROPFIND", path, Depth="1")[2])
        hrefs = [one.text or "" for one in listed.iterfind("{DAV:}response/{DAV:}href")]
        return {href: self.send("GET", href.lstrip("/")) for href in hrefs if not href.endswith("/")}

    def close(self) -> None:
        self.program.stop()


class Radicale(Dav):
    """Asks for a password; over https with a certificate."""

    home = f"{USER}/"

    def __init__(self, folder: Path, shown: Shown | None = None) -> None:
        folder.mkdir()
        port = free_port()
        secure = "" if shown is None else f"ssl = True\ncertificate = {shown.certificate}\nkey = {shown.key}\n"
        (folder / "users").write_text(f"{USER}:{PASSWORD}\n")
        (folder / "config").write_text(
            f"[server]\nhosts = 127.0.0.1:{port}\n{secure}[auth]\ntype = htpasswd\n"
            f"htpasswd_filename = {folder / 'users'}\n"
            f"htpasswd_encryption = plain\ndelay = 0\n[storage]\nfilesystem_folder = {folder / 'store'}\n"
            "[logging]\nlevel = error\n"
        )
        self.url = f"{'https' if secure else 'http'}://127.0.0.1:{port}/"
        # What the test itself asks with trusts anything: whom PEA trusts is what is tested.
        self.context = ssl._create_unverified_context() if secure else None
        self.program = Program(
            [sys.executable, "-m", "radicale", "--config", str(folder / "config")], port, folder / "log"
        )
        self.program.start()
        self.send("PROPFIND", f"{USER}/")  # the first request makes the user's collection


class Xandikos(Dav):
    """Keeps calendars in Git; wants no password on a loopback port."""

    home = "user/calendars/"

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        port = free_port()
        self.url = f"http://127.0.0.1:{port}/"
        command = [sys.executable, "-m", "xandikos", "serve", "--no-detect-systemd", "--autocreate"]
        command += ["-d", str(folder / "store"), "--state-dir", str(folder), "-l", "127.0.0.1", "-p", str(port)]
        self.program = Program([*command, "--current-user-principal", "/user/"], port, folder / "log")
        self.program.start()


class Dovecot:
    """An IMAP server with one user; `box` is another program's connection to it.

    With a certificate it also offers STARTTLS, and TLS from the first byte on ``tls_port``.
    """

    def __init__(self, shown: Shown | None = None) -> None:
        # Paths of sockets are short, and its helpers, which are other users where it runs as root, must come by.
        self.folder = folder = Path(tempfile.mkdtemp(prefix="pea-dovecot-", dir="/tmp"))
        folder.chmod(0o755)
        owner = pwd.getpwuid(os.getuid()) if os.getuid() else pwd.getpwnam("nobody")
        for name in ("run", "state", "mail"):
            (folder / name).mkdir()
        shutil.chown(folder / "mail", owner.pw_uid, owner.pw_gid)
        self.port, self.tls_port = free_port(), free_port() if shown else 0
        secure = f"ssl = yes\nssl_cert = <{shown.certificate}\nssl_key = <{shown.key}" if shown else "ssl = no"
        me, group = getpass.getuser(), grp.getgrgid(os.getgid()).gr_name
        own = f"default_internal_user = {me}\ndefault_login_user = {me}\ndefault_internal_group = {group}\n"
        (folder / "users").write_text(f"{USER}:{{PLAIN}}{PASSWORD}:{owner.pw_uid}:{owner.pw_gid}::{folder}::\n")
        (folder / "dovecot.conf").write_text(
            f"""
protocols = imap
listen = 127.0.0.1
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
{own if os.getuid() else ""}
first_valid_uid = 0
first_valid_gid = 0
{secure}
disable_plaintext_auth = no
mail_location = maildir:{folder}/mail
passdb {{
  driver = passwd-file
  args = {folder}/users
}}
userdb {{
  driver = passwd-file
  args = {folder}/users
}}
namespace inbox {{
  inbox = yes
  mailbox Drafts {{
    auto = create
    special_use = \\Drafts
  }}
  mailbox Gesendet {{
    auto = create
    special_use = \\Sent
  }}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {self.port}
  }}
  inet_listener imaps {{
    port = {self.tls_port}
    ssl = {"yes" if shown else "no"}
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""
        )
        self.program = Program(
            [shutil.which("dovecot") or "dovecot", "-F", "-c", str(folder / "dovecot.conf")], self.port, folder / "out"
        )
        self.program.start()

    def box(self, folder: str = "INBOX") -> imaplib.IMAP4:
        client = imaplib.IMAP4("127.0.0.1", self.port)
        client.login(USER, PASSWORD)
        client.select(folder)
        return client

    def deliver(self, mail: bytes, folder: str = "INBOX", flags: str = "") -> None:
        client = self.box(folder)
        status, told = client.append(folder, flags, None, mail)
        assert status == "OK", told
        client.logout()

    def mails(self, folder: str) -> list[bytes]:
        client = self.box(folder)
        _, found = client.uid("SEARCH", "ALL")
        mails = [client.uid("FETCH", uid.decode(), "(BODY.PEEK[])")[1][0][1] for uid in found[0].split()]
        client.logout()
        return mails

    def close(self) -> None:
        self.program.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class Mailman:
    """An SMTP server (aiosmtpd) in a process of its own that keeps each mail it takes as a file.

    What it does is told by files in its folder: ``refuse`` refuses recipients, ``hold`` has it take the mail and never
    say so, ``once`` has it take one mail on each connection. With a certificate it wants one user, and TLS: from the
    first byte (``tls``) or by ``starttls``.
    """

    def __init__(self, folder: Path, shown: Shown | None = None, tls: str = "tls") -> None:
        folder.mkdir()
        self.folder, self.port = folder, free_port()
        command = [sys.executable, str(Path(__file__).with_name("mailman.py")), str(self.port), str(folder)]
        if shown is not None:
            command += [tls, str(shown.certificate), str(shown.key), USER, PASSWORD]
        self.program = Program(command, self.port, folder / "log")
        self.program.start()

    def mails(self) -> list[bytes]:
        return [path.read_bytes() for path in sorted(self.folder.glob("*.eml"))]

    def connections(self) -> list[str]:
        """``opened`` and ``closed``, as it happened."""
        log = self.folder / "connections"
        return [word for word in log.read_text().split() if word] if log.exists() else []

    def close(self) -> None:
        self.program.stop()

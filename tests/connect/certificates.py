"""A certificate authority of the test's own, and what servers may show: right certificates and wrong ones."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import trustme


class Shown(msgspec.Struct, frozen=True):
    """What a TLS server needs: its certificate (with the chain) and its key, as PEM files."""

    certificate: Path
    key: Path


class Authority:
    """Signs what `shown` is asked for; ``ca`` is what a client has to trust."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder, self._ca, self._count = folder, trustme.CA(), 0
        self.ca = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(self.ca)

    def shown(self, *names: str, expired: bool = False) -> Shown:
        """A certificate for these names (this machine, if none)."""
        self._count += 1
        until = datetime(2020, 1, 2, tzinfo=UTC) if expired else None
        since = datetime(2020, 1, 1, tzinfo=UTC) if expired else None
        made = self._ca.issue_cert(*(names or ("127.0.0.1", "localhost")), not_after=until, not_before=since)
        shown = Shown(self._folder / f"{self._count}.pem", self._folder / f"{self._count}.key")
        made.private_key_pem.write_to_path(shown.key)
        for blob in made.cert_chain_pems:
            blob.write_to_path(shown.certificate, append=True)
        return shown

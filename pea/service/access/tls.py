"""HTTPS by configuration; certificates that were renewed are used without a restart.

The files are looked at with each handshake, at most once a second, and one that cannot be used leaves the last good
ones in use: a renewal that writes the certificate before the key is whole a moment later.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from pathlib import Path

from pea.config import TlsSettings
from pea.errors import ConfigError
from pea.telemetry import get_logger

LOOK_EVERY_S = 1.0

log = get_logger("pea.service.access")

Stamps = tuple[tuple[int, ...] | None, ...]


class Certificates:
    """The context of the service's handshakes. TLS 1.2 at least, with OpenSSL's own choice of ciphers."""

    def __init__(self, settings: TlsSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._paths = [Path(path) for path in (settings.cert, settings.key, settings.client_ca) if path]
        self._seen = _stamps(self._paths)
        self._looked = clock()
        self._problem: str | None = None  # why the files as they are now are not used
        self._current = _context(settings)
        self.context = _context(settings)
        self.context.sni_callback = self._choose  # called in every handshake, whether a name was sent or not

    def look(self) -> None:
        """Read the files again if they have changed."""
        now = self._clock()
        if now - self._looked < LOOK_EVERY_S:
            return
        self._looked = now
        seen = _stamps(self._paths)
        if seen == self._seen and self._problem is None:
            return
        try:
            self._current = _context(self._settings)
        except ConfigError as error:  # tried again at each look: what is wrong need not be the file's
            if str(error) != self._problem:
                self._problem = str(error)
                log.error("the new certificate is not used, the last good one is", reason=self._problem)
        else:
            self._seen, self._problem = seen, None
            log.info("the certificate was read anew")

    def _choose(self, connection: ssl.SSLSocket | ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        self.look()
        connection.context = self._current


def certificates(settings: TlsSettings) -> Certificates | None:
    """The certificates of a service; None without TLS. Raises ConfigError when they cannot be used."""
    if settings.cert:
        return Certificates(settings)
    if settings.key or settings.client_ca:
        raise ConfigError("there is no certificate", where="access.tls.cert", fix="set it to a PEM file")
    return None


def _context(settings: TlsSettings) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    where = "access.tls.cert"
    try:
        context.load_cert_chain(settings.cert, settings.key or None, password=_no_password)
        if settings.client_ca:
            where = "access.tls.client_ca"
            context.load_verify_locations(settings.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
        fix = "give PEM files: the certificate with its chain, and its key without a password"
        raise ConfigError(f"cannot be used: {reason}", where=where, fix=fix) from None
    return context


def _no_password() -> str:
    """Asked for by a key that is encrypted: a service has nobody to ask, and would block."""
    return ""


def _stamps(paths: list[Path]) -> Stamps:
    found: list[tuple[int, ...] | None] = []
    for path in paths:
        try:
            about = path.stat()
        except OSError:
            found.append(None)
        else:
            found.append((about.st_mtime_ns, about.st_ctime_ns, about.st_size, about.st_ino))
    return tuple(found)

"""Who may do what at the service: tokens, rates, TLS and the audit log."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from pea.config.units import Bytes, Seconds


class TlsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """HTTPS: PEM files, which are read again when they change. Off without a certificate."""

    cert: str = ""  # the certificate, followed by those between it and the root
    key: str = ""  # its private key; empty: it is in the certificate's file
    client_ca: str = ""  # clients must show a certificate that one of these has signed


class AuditSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The audit log of requests that change something, in the state folder of a service."""

    on: bool = True
    size: Bytes = Bytes(8 << 20)  # of one file; then the next one is begun, and the chain goes on in it
    files: Annotated[int, msgspec.Meta(ge=2, le=10_000)] = 16  # older ones are deleted
    fsync: Literal["always", "interval"] = "interval"  # always: before the answer; interval: within a second after it


class AccessSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Tokens are asked for as soon as there is a tokens file; on other addresses than loopback there has to be one."""

    tokens: str = ""  # the tokens file; empty: `tokens.json` in the state folder
    per_second: Annotated[float, msgspec.Meta(gt=0, le=1e6)] = 100.0  # requests of one token that says nothing else
    burst: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 200
    session: Seconds = Seconds(12 * 3_600.0)  # how long a login on the page lasts
    hosts: tuple[str, ...] = ()  # names under which the service is reached, beside addresses and this machine's name
    tls: TlsSettings = TlsSettings()
    audit: AuditSettings = AuditSettings()

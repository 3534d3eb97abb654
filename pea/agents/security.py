"""The security agent: what should not stand in clear, which mails mean harm, who has access, what two laws ask."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from pea import Agent, Context, InputError, Settings, capability
from pea.agents._reading import place, reading_s
from pea.agents._security_views import (
    AccessReport,
    ComplianceReport,
    PhishingReport,
    Scan,
    SensitiveReport,
    Threat,
    Threats,
)

if TYPE_CHECKING:
    from pea.agents._security_files import SecurityFiles

MAX_READING_S = 20.0
PART_SHARE = 0.85
THREAT = "security.threat"
REMEMBERED = 1_000  # threats that are compared before another is written down
LAWS = ("GDPR", "CCPA")
Limit = Annotated[int, msgspec.Meta(ge=1, le=1_000)]


class Security(Agent):
    """Scans mail, documents and calendars. It changes nothing, and opens no link and no attachment."""

    name = "security"

    def __init__(self) -> None:
        self._files: SecurityFiles | None = None
        self._opening = asyncio.Lock()
        self._reading = asyncio.Lock()

    async def stop(self) -> None:
        """Close what was opened."""
        if self._files is not None:
            self._files.close()
            self._files = None

    async def cache_version(self, ctx: Context) -> str:
        """Which files there are, in which state, and the day: deadlines depend on it."""
        return f"{(await self._read(ctx)).version}|{ctx.now():%Y-%m-%d}"

    @capability("security.sensitive", timeout="30s", cache="5m")
    async def sensitive(self, ctx: Context, kinds: tuple[str, ...] = (), limit: Limit = 100) -> SensitiveReport:
        """Find secrets and personal data in mail and documents, masked, by kind ("IBAN") or category ("secret")."""
        from pea.agents._security_reviews import sensitive
        from pea.workspace.privacy import KINDS

        known = {kind.name for kind in KINDS} | {kind.category for kind in KINDS}
        for kind in kinds:
            if kind not in known:
                raise InputError(f"{kind!r} is not known", where="kinds", fix=f"known: {', '.join(sorted(known))}")
        files = await self._read(ctx)
        return await ctx.compute(sensitive, files, frozenset(kinds), limit)

    @capability("security.phishing", timeout="30s", cache="5m")
    async def phishing(self, ctx: Context, since: date | None = None, limit: Limit = 50) -> PhishingReport:
        """Find mails that look like phishing, with reasons: server's verdicts, look-alike names, links, pressure."""
        from pea.agents._security_reviews import phishing

        files = await self._read(ctx)
        return await ctx.compute(phishing, files, since, limit)

    @capability("security.access", timeout="30s", cache="5m")
    async def access(self, ctx: Context, limit: Limit = 50) -> AccessReport:
        """Say who outside your organisation was invited, sent attachments or given links to shared files."""
        from pea.agents._security_reviews import access

        files = await self._read(ctx)
        return await ctx.compute(access, files, ctx.now(), limit)

    @capability("security.compliance", timeout="30s", cache="5m")
    async def compliance(self, ctx: Context, laws: tuple[str, ...] = LAWS) -> ComplianceReport:
        """Go through the checklists of GDPR and CCPA with evidence from the files, and deadlines that run."""
        from pea.agents._security_compliance import compliance

        wanted = tuple(dict.fromkeys(law.upper() for law in laws))
        for law in wanted:
            if law not in LAWS:
                raise InputError(f"{law!r} is no law that is known", where="laws", fix=f"known: {', '.join(LAWS)}")
        if not wanted:
            raise InputError("no law is named", where="laws", fix=f"known: {', '.join(LAWS)}")
        files = await self._read(ctx)
        return await ctx.compute(compliance, files, wanted, ctx.now())

    @capability("security.scan", timeout="60s")
    async def scan(self, ctx: Context) -> Scan:
        """Run all scans side by side, write new threats down, and say how things stand."""
        nearer = ctx.within(max(0.0, PART_SHARE * ctx.remaining_s))
        parts = await ctx.gather(
            sensitive=nearer.call("security.sensitive"),
            phishing=nearer.call("security.phishing"),
            access=nearer.call("security.access"),
            compliance=nearer.call("security.compliance"),
        )
        views: dict[str, type[Any]] = {
            "sensitive": SensitiveReport,
            "phishing": PhishingReport,
            "access": AccessReport,
            "compliance": ComplianceReport,
        }
        came = {
            name: msgspec.convert(parts[name].value, view, from_attributes=True)
            for name, view in views.items()
            if parts[name].ok
        }
        missing = {name: str(part.error) for name, part in parts.items() if part.error is not None}
        new = await _write_down(ctx, came.get("sensitive"), came.get("phishing"))
        result = Scan(
            _level(came.get("sensitive"), came.get("phishing")),
            came.get("sensitive"),
            came.get("phishing"),
            came.get("access"),
            came.get("compliance"),
            missing,
            new,
            "",
        )
        from pea.agents import _security_text as text

        return msgspec.structs.replace(result, text=text.scan(result))

    @capability("security.threats", timeout="5s", idempotent=True)
    async def threats(self, ctx: Context, limit: Limit = 50) -> Threats:
        """List the threats that earlier scans wrote down, the newest first."""
        from pea.agents import _security_text as text

        found = tuple(_threat(one) for one in await ctx.store.recent(limit, kind=THREAT))
        result = Threats(found, "")
        return msgspec.structs.replace(result, text=text.threats(result))

    async def _read(self, ctx: Context) -> SecurityFiles:
        """The files, scanned as far as the time allows; scans that run side by side read once."""
        async with self._opening:
            if self._files is None:
                self._files = await ctx.compute(_open, ctx.settings)
        files = self._files
        async with self._reading:
            with ctx.step("security.read"):
                await ctx.compute(files.refresh, reading_s(ctx, most_s=MAX_READING_S))
        return files


async def _write_down(ctx: Context, sensitive: SensitiveReport | None, phishing: PhishingReport | None) -> int:
    """Write threats down that are not written down yet; how many."""
    found: list[dict[str, str]] = []
    if phishing is not None:
        found += [
            {"threat": "phishing", "severity": "high", "what": one.subject or "(no subject)", "path": one.path}
            for one in phishing.suspicious
            if one.verdict == "likely"
        ]
    if sensitive is not None:
        found += [
            {"threat": one.kind, "severity": one.severity, "what": f"{one.masked}, {one.place}", "path": one.path}
            for one in sensitive.items
            if one.severity in ("critical", "high")
        ]
    known = {_key(one.fields) for one in await ctx.store.recent(REMEMBERED, kind=THREAT)}
    new = [one for one in {_key(one): one for one in found}.values() if _key(one) not in known]
    for one in new:
        await ctx.store.append(THREAT, **one)
    return len(new)


def _key(fields: dict[str, Any]) -> tuple[str, ...]:
    return tuple(str(fields.get(name, "")) for name in ("threat", "what", "path"))


def _threat(activity: Any) -> Threat:
    fields = activity.fields
    at = datetime.fromtimestamp(activity.at, UTC)
    return Threat(at, *(str(fields.get(name, "")) for name in ("threat", "severity", "what", "path")))


def _level(sensitive: SensitiveReport | None, phishing: PhishingReport | None) -> Any:
    """The worst of what was found; unknown when a scan that would tell did not come."""
    if sensitive is None or phishing is None:
        return "unknown"
    if any(one.severity == "critical" for one in sensitive.items):
        return "critical"
    if any(one.verdict == "likely" for one in phishing.suspicious) or any(
        i.severity == "high" for i in sensitive.items
    ):
        return "high"
    return "medium" if phishing.found or sensitive.found else "clear"


def _open(settings: Settings) -> SecurityFiles:
    # Imported at the first call and off the event loop: what reads mail takes a tenth of a second to load.
    from pea.agents._security_files import SecurityFiles

    return SecurityFiles(*place(settings), settings.user.emails, settings.user.name)

"""What to know of a country, or of one person's, before a meeting; and how to write to them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec

from pea.agents._culture_days import day_off, holidays_between, is_known, weekend
from pea.agents._culture_views import AddressForm, Brief, Forms
from pea.agents._names import split_name
from pea.agents._whereabouts import Whereabouts
from pea.workspace.customs import Custom, Customs, Phrases
from pea.workspace.files import SourceReport

if TYPE_CHECKING:
    from babel import Locale

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MY_HOURS = (time(9), time(18))
NEXT_HOLIDAYS = 3
MANNERS = {
    "first": "first names from the first mail",
    "surname": "family names until the first name is offered",
    "title": "titles or positions, and family names",
}


def language_of(country: str, custom: Custom, known: Customs) -> str:
    """The language to write in: the customs' own word, else the most spoken official one that letters are known for."""
    from babel.languages import get_official_languages, get_territory_language_info

    if custom.language:
        return custom.language
    spoken = get_territory_language_info(country)
    official = [one.partition("_")[0] for one in get_official_languages(country, de_facto=True)]
    order = official or [one for one, _ in sorted(spoken.items(), key=lambda kv: -_share(kv[1]))]
    order = ["nb" if one == "no" else one for one in order]
    return next((one for one in order if one in known.languages), "en")


def _share(told: Mapping[str, object]) -> float:
    share = told.get("population_percent")
    return float(share) if isinstance(share, int | float) else 0.0


def brief_of(
    person: str, where: Whereabouts, customs: Customs, now: datetime, my_country: str, report: SourceReport
) -> Brief:
    """A country's brief; ``now`` is in the user's own zone."""
    from babel import Locale
    from babel.languages import get_official_languages
    from babel.numbers import get_territory_currencies

    code = where.country
    custom, known = customs.custom(code)
    language = language_of(code, custom, customs)
    locale = Locale.parse(f"und_{code}") if not custom.language else _locale(custom.language, code)
    spoken = tuple(
        Locale.parse(one).get_display_name("en") or one for one in get_official_languages(code, de_facto=True)
    )
    local = now.astimezone(ZoneInfo(where.zone)) if where.zone else None
    money = (get_territory_currencies(code) or [""])[0]
    opens, closes = custom.hours
    overlap = None if local is None else _overlap(now, opens, closes, ZoneInfo(where.zone))
    coming = [one for one in holidays_between(code, now.date(), now.date() + timedelta(days=400)) if not one.weekend]
    brief = Brief(
        person=person,
        country=code,
        country_name=country_name(code),
        why=where.why,
        languages=spoken,
        currency=money,
        zone=where.zone,
        local_time=local,
        at_work="" if local is None else _at_work(local, code, custom),
        overlap_minutes=overlap,
        weekend=tuple(DAYS[one] for one in sorted(weekend(code))),
        week_begins=DAYS[locale.first_week_day],
        opens=custom.opens,
        closes=custom.closes,
        lunch=custom.lunch,
        forms=_forms(locale, money or "EUR", now),
        address=MANNERS[custom.address],
        direct=custom.direct,
        apology=custom.apology,
        greeting=_greeting(customs.phrases(language), local or now),
        note=custom.note,
        known_customs=known,
        next_holidays=tuple(coming[:NEXT_HOLIDAYS]),
        sources=report,
        text="",
    )
    return msgspec.structs.replace(brief, text=_brief_text(brief, my_country))


def address_of(
    person: str, where: Whereabouts, language: str, customs: Customs, my_country: str, now: datetime, *, wrote: bool
) -> AddressForm:
    """How to write to somebody; ``wrote`` says that the user knows them well enough to have exchanged mails."""
    country = where.country or my_country
    custom, known = customs.custom(country)
    chosen = language or language_of(country, custom, customs)
    phrases = customs.phrases(chosen)
    family_first = customs.phrases(language_of(country, custom, customs)).family_first if where.country else False
    name = split_name(person, family_first=family_first)
    formal = custom.address != "first" and not (wrote and custom.address == "surname")
    notes = []
    if not where.country:
        notes.append(f"{where.why}: your own country's customs are taken")
    if not known:
        notes.append(f"no customs are known for {country or 'the country'}: the cautious form is proposed")
    if family_first:
        notes.append("the family name stands first; if your address book has turned the name round, turn it back")
    if chosen not in customs.languages:
        notes.append(f"no letters are known in {chosen}: English is proposed")
    reasons = {
        "first": f"in {country_name(country)} first names are usual from the first mail",
        "surname": f"in {country_name(country)} family names are usual until the first name is offered",
        "title": f"in {country_name(country)} titles and family names are usual",
    }
    why = reasons[custom.address] + ("; you have written to each other before" if wrote and not formal else "")
    local = now.astimezone(ZoneInfo(where.zone)) if where.zone else now
    salutations = [fill(text, name.full, name.given, name.family) for text in (phrases.informal, phrases.formal)]
    there = f" ({country_name(country)})" if where.country else ""
    lines = [
        f"{name.full}{there}: {'formal' if formal else 'informal'}, {why}",
        f"  begin   {salutations[formal]}",
        f"  end     {phrases.closing_formal if formal else phrases.closing}",
        f"  say     {_greeting(phrases, local)}" + (f" ({local:%H:%M} there)" if where.zone else ""),
        *([f"  you     {phrases.you}"] if phrases.you else []),
        *(f"  note    {note}" for note in notes),
        f"  known   {where.why}",
    ]
    return AddressForm(
        person=name.full,
        given=name.given,
        family=name.family,
        title=name.title,
        country=country,
        language=chosen if chosen in customs.languages else "en",
        formal=formal,
        why=why,
        salutation=salutations[0],
        salutation_formal=salutations[1],
        closing=phrases.closing,
        closing_formal=phrases.closing_formal,
        greeting_now=_greeting(phrases, local),
        you=phrases.you,
        order="family name first" if family_first else "given name first",
        notes=tuple(notes),
        text="\n".join(lines),
    )


def fill(text: str, full: str, given: str, family: str) -> str:
    """A phrase with a name in it; nothing but these three words is replaced, whatever a user's file says."""
    for mark, value in (("{full}", full), ("{given}", given), ("{family}", family)):
        text = text.replace(mark, value)
    return text


def country_name(code: str) -> str:
    """A country's English name; the code itself where there is none."""
    from babel import Locale

    return str(Locale("en").territories.get(code, code or "an unknown country"))


def _locale(language: str, country: str) -> Locale:
    from babel import Locale

    return Locale.parse(f"{language}_{country}")


def _forms(locale: Locale, money: str, now: datetime) -> Forms:
    from babel.dates import format_date, format_time
    from babel.numbers import format_currency, format_decimal

    return Forms(
        date=format_date(now.date(), "short", locale),
        long_date=format_date(now.date(), "long", locale),
        time=format_time(time(15, 30), "short", locale=locale),
        number=format_decimal(Decimal("1234567.89"), locale=locale),
        money=format_currency(Decimal("1234.50"), money, locale=locale),
    )


def _greeting(phrases: Phrases, local: datetime) -> str:
    hour = local.hour
    return (phrases.morning if hour < 11 else phrases.day if hour < 18 else phrases.evening) or phrases.day


def _at_work(local: datetime, country: str, custom: Custom) -> str:
    """Whether an office there is open, in words."""
    off = day_off(local.date(), country)
    if off:
        return f"no: it is {off}"
    opens, closes = custom.hours
    if not opens <= local.time() < closes:
        return f"no: it is {local:%H:%M}, offices keep {custom.opens} to {custom.closes}"
    quiet = custom.quiet
    return f"at lunch until {quiet[1]:%H:%M}" if quiet and quiet[0] <= local.time() < quiet[1] else "yes"


def _overlap(now: datetime, opens: time, closes: time, zone: ZoneInfo) -> int:
    """Minutes of the user's day that lie in office hours there; instants, so that zones and clock changes are right."""
    day: date = now.date()
    mine = [datetime.combine(day, at, now.tzinfo).timestamp() for at in MY_HOURS]
    shared = 0.0
    for step in (-1, 0, 1):
        theirs = [datetime.combine(day + timedelta(days=step), at, zone).timestamp() for at in (opens, closes)]
        shared += max(0.0, min(mine[1], theirs[1]) - max(mine[0], theirs[0]))
    return round(shared / 60)


def _brief_text(brief: Brief, my_country: str) -> str:
    head = f"{brief.person}: {brief.country_name} ({brief.why})" if brief.person else brief.country_name
    lines = [head]
    if brief.local_time is not None:
        lines.append(f"  now       {brief.local_time:%A %H:%M} in {brief.zone}; at work: {brief.at_work}")
        lines.append(f"  overlap   {brief.overlap_minutes} minutes of your day (09:00 to 18:00)")
    lines.append(
        f"  hours     {brief.opens} to {brief.closes}" + (f", lunch {brief.lunch}" if brief.lunch else "")
        + f"; weekend {' and '.join(brief.weekend)}; the week begins on {brief.week_begins}"
    )  # fmt: skip
    lines.append(f"  language  {', '.join(brief.languages) or 'not known'}; say {brief.greeting}")
    forms = brief.forms
    lines.append(f"  writes    {forms.date} · {forms.long_date} · {forms.time} · {forms.number} · {forms.money}")
    lines.append(f"  address   {brief.address}")
    said = "bad news first and plainly" if brief.direct else "context before bad news, no blame in front of others"
    lines.append(f"  tone      {said}; {'regret before facts' if brief.apology == 'first' else 'facts before regret'}")
    lines += [f"  note      {brief.note}"] if brief.note else []
    if not brief.known_customs:
        lines.append("  note      no customs are known for this country: the cautious form is proposed (customs.yaml)")
    for one in brief.next_holidays:
        both = " (yours too)" if my_country and day_off(one.day, my_country) else ""
        lines.append(f"  holiday   {one.day:%a} {one.day.day} {one.day:%b %Y}: {one.name}{both}")
    if not is_known(brief.country):
        lines.append("  holiday   no calendar of public holidays is known for this country")
    return "\n".join(lines)

"""In which country and time zone a person is, and what tells it."""

from __future__ import annotations

import functools

import msgspec

from pea.workspace.contacts import Contact
from pea.workspace.places import find
from pea.workspace.places_table import cities
from pea.workspace.zones import by_name, name_of

# Country codes in domain names that are mostly used for other things.
_NOT_COUNTRIES = frozenset(["io", "ai", "tv", "me", "co", "fm", "ly", "gg", "to", "cc", "ws", "so", "sh", "eu", "su"])


class Whereabouts(msgspec.Struct, frozen=True):
    """A country (ISO 3166-1 alpha-2) and an IANA zone, either empty when not known; ``why`` names what tells them."""

    country: str = ""
    zone: str = ""
    why: str = "nothing tells where they are"


def whereabouts(contact: Contact | None, email: str = "") -> Whereabouts:
    """By what is surest first: address, stated zone, telephone numbers, the mail domain's country."""
    if contact is not None:
        found = _by_card(contact)
        if found is not None:
            return found
    for address in (email, *(contact.emails if contact is not None else ())):
        country = _of_domain(address)
        if country:
            return Whereabouts(country, zone_in(country), f"the address ends in .{address.rpartition('.')[2].lower()}")
    return Whereabouts()


def _by_card(contact: Contact) -> Whereabouts | None:
    place = find(contact.address) if contact.address else None
    if place is not None:
        return Whereabouts(place.country, place.zone, f"their address is in {place.name}")
    country = next(filter(None, map(country_of_phone, contact.phones)), "")
    zone = name_of(by_name(contact.zone)) if contact.zone else ""
    if zone:
        return Whereabouts(country, zone, f"their card says {zone}")
    if country:
        return Whereabouts(country, zone_in(country), f"their telephone number is of {country}")
    return None


def _of_domain(address: str) -> str:
    ending = address.rpartition("@")[2].rpartition(".")[2].lower()
    if len(ending) != 2 or ending in _NOT_COUNTRIES:
        return ""
    code = "GB" if ending == "uk" else ending.upper()
    return code if zone_in(code) else ""


@functools.lru_cache(maxsize=4_096)
def country_of_phone(number: str) -> str:
    """The country of an international number; empty for a national one, or when none can be told."""
    if not number.lstrip().startswith(("+", "00")):
        return ""
    import phonenumbers

    text = number.strip()
    try:
        parsed = phonenumbers.parse(f"+{text[2:]}" if text.startswith("00") else text)
    except phonenumbers.NumberParseException:
        return ""
    region = phonenumbers.region_code_for_country_code(parsed.country_code or 0)
    # +1 and +7 serve several countries: the number itself has to say.
    exact = phonenumbers.region_code_for_number(parsed)
    return exact or (region if region not in ("001", "ZZ") else "")


@functools.lru_cache(maxsize=1)
def _largest() -> dict[str, str]:
    """The zone of each country's weightiest city."""
    best: dict[str, tuple[int, str]] = {}
    for found in cities().values():
        for city in found:
            if city.zone and city.weight > best.get(city.country, (-1, ""))[0]:
                best[city.country] = (city.weight, city.zone)
    return {country: zone for country, (_, zone) in best.items()}


def zone_in(country: str) -> str:
    """The zone of a country's largest city; empty for no country that is known."""
    return _largest().get(country, "")

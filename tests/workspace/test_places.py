"""Locations are placed where they name a place, and left alone where they do not."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pea.workspace.places import Place, airports_near, distance_km, find, journey, place_at
from pea.workspace.places_online import is_online, join_link, location_link
from pea.workspace.places_table import airports, cities, folded


@pytest.mark.parametrize(
    ("location", "place"),
    [
        ("Berlin", "Berlin DE"),
        ("New York", "New York US"),
        ("Zürich", "Zurich CH"),
        ("ZURICH", "Zurich CH"),
        ("8001 Zürich", "Zurich CH"),
        ("D-10117 Berlin", "Berlin DE"),
        ("London EC1A 1BB", "London GB"),
        ("Hotel Baur au Lac, Talstrasse 1, 8001 Zürich, Switzerland", "Zurich CH"),
        ("Café Paris, Berlin", "Berlin DE"),
        ("Via Roma 12, Milano", "Milan IT"),
        ("Paris, Texas", "Paris US"),
        ("San Jose, CA", "San Jose US"),
        ("San José, Costa Rica", "San Jose CR"),
        ("London, Ontario, Canada", "London CA"),
        ("Nice, France", "Nice FR"),
        ("Berlin Office", "Berlin DE"),
        ("Basel SBB", "Basel CH"),
        ("London - WeWork Moorgate", "London GB"),
        ("København, Denmark", "Copenhagen DK"),
        ("Frankfurt am Main", "Frankfurt DE"),
        ("St. Gallen", "St. Gallen CH"),
        ("LHR", "London Heathrow Airport GB"),
        ("LHR T5", "London Heathrow Airport GB"),
        ("Berlin Brandenburg Airport (BER)", "Berlin Brandenburg Airport DE"),
    ],
)
def test_places_are_found(location, place):
    """Cities in addresses, by their own and English names, with country or state; airports by code."""
    found = find(location, country="DE")
    assert found is not None
    assert f"{found.name} {found.country}" == place


@pytest.mark.parametrize(
    "location",
    [
        "", "Room 4.12", "Office", "Lunch", "Canteen", "My desk", "Zoom", "Teams", "TBD", "Telephone", "Raum Berlin",
        "Room Paris", "Conference room Vienna", "Londoner Str. 12", "Rue de Paris 3", "Reading room", "Hope", "Nice",
        "USA", "CEO", "Germany", "https://zoom.us/j/1", "Video call, https://meet.example.org/x", "Nora's office",
        "Dr. Arslan, Schönhauser Allee 9", "Unter den Linden", "Springfield", "🏠", "1", "x" * 5000,
    ],
)  # fmt: skip
def test_rooms_links_and_words_are_no_places(location):
    """A word is not a city because some city bears it."""
    assert find(location, country="DE") is None


def test_other_cities_of_the_name_are_said():
    """Where two cities of one name are equally likely, the one taken comes with the other."""
    found = find("San José")
    assert found is not None
    assert any("CR" in other for other in found.alternatives)
    near = find("San José", near=(9.9, -84.0))
    assert near is not None
    assert near.country == "CR"


@pytest.mark.parametrize(
    ("a", "b", "km"),
    [("LHR", "JFK", 5540), ("Berlin", "Zürich", 670), ("SYD", "LHR", 17016), ("Berlin", "Berlin", 0)],
)
def test_distances_are_great_circles(a, b, km):
    """Known distances to one per cent."""
    start, end = find(a), find(b)
    assert start is not None
    assert end is not None
    assert distance_km(start.point, end.point) == pytest.approx(km, rel=0.01, abs=1)


POINTS = st.tuples(st.floats(-90, 90), st.floats(-180, 180))


@given(POINTS, POINTS, POINTS)
def test_distance_is_a_distance(a, b, c):
    """Symmetric, never negative, at most half the circumference, and no detour is shorter."""
    assert distance_km(a, b) == pytest.approx(distance_km(b, a), abs=1e-6)
    assert 0 <= distance_km(a, b) <= 20_016
    assert distance_km(a, c) <= distance_km(a, b) + distance_km(b, c) + 1e-3


def test_airports_near_a_point():
    """The airports of a city, nearest first, and none in the middle of an ocean."""
    assert {a.code for a in airports_near((52.52, 13.40))} >= {"BER"}
    assert airports_near((0.0, -140.0)) == ()
    with pytest.raises(ValueError, match="no latitude"):
        airports_near((200.0, 0.0))


def test_a_point_is_called_after_the_nearest_city():
    """Coordinates of an event give a place with its zone; the open sea gives none."""
    found = place_at((47.38, 8.53))
    assert found is not None
    assert (found.name, found.zone, found.kind) == ("Zurich", "Europe/Zurich", "coordinates")
    assert place_at((0.0, -140.0)) is None
    assert place_at((1000.0, 0.0)) is None


def between(a: str, b: str) -> tuple[str, int]:
    start, end = find(a), find(b)
    assert start is not None
    assert end is not None
    way = journey(start, end)
    return way.mode, way.minutes


def test_journeys_are_estimated_by_the_formula():
    """Across town, by road or rail, by air: each with its minutes from door to door, worked out by hand."""
    assert between("Berlin", "Berlin") == ("none", 0)
    assert between("Zürich", "Zürich Airport (ZRH)") == ("local", 45)
    mode, minutes = between("Berlin", "Hamburg")  # 255 km, 332 by road: 20 + 60 + 282 / 110 h
    assert mode == "ground"
    assert minutes == pytest.approx(234, abs=2)
    mode, minutes = between("Berlin", "London")  # 45 + 90 + 30 + 932 / 800 h + 45 + 45
    assert mode == "air"
    assert minutes == pytest.approx(325, abs=2)


PLACES = st.builds(
    Place, name=st.just("x"), country=st.sampled_from(["DE", "US"]), latitude=st.floats(-90, 90),
    longitude=st.floats(-180, 180), zone=st.just("UTC"), kind=st.sampled_from(["city", "airport"]),
)  # fmt: skip


@given(PLACES, PLACES)
def test_no_journey_is_faster_than_flying(a, b):
    """An estimate is never shorter than the distance at 900 km/h, nor longer than two days."""
    way = journey(a, b)
    assert way.minutes <= 48 * 60
    assert way.minutes >= (way.distance_km - 1) / 900 * 60 or way.mode == "local"


@given(st.text(max_size=200))
@settings(max_examples=150, deadline=None)
def test_no_location_can_raise(text):
    """Any text is a place or none."""
    found = find(text, country="DE")
    assert found is None or found.zone


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("Join: https://acme.zoom.us/j/1?pwd=a.", "https://acme.zoom.us/j/1?pwd=a"),
        ("<https://teams.microsoft.com/l/meetup-join/x>", "https://teams.microsoft.com/l/meetup-join/x"),
        ("https://zoom.us.evil.example/j/1", ""),
        ("https://example.org/agenda", ""),
        ("https://[broken", ""),
    ],
)
def test_links_to_join(text, link):
    """Only links to hosts that hold meetings are taken for them; a lookalike host is not."""
    assert join_link(text) == link


@pytest.mark.parametrize(
    ("location", "online"),
    [
        ("Zoom", True),
        ("Microsoft Teams Meeting", True),
        ("Video call, https://meet.example.org/x", True),
        ("https://meet.example.org/x", True),
        ("tel:+49301", True),
        ("Room 4 / Zoom", False),
        ("https://maps.google.com/?q=Berlin", False),
        ("Torstraße 140, Berlin https://example.org", False),
        ("Zoomarine, Roma", False),
    ],
)
def test_online_is_told_from_places(location, online):
    """A service or a bare link is online; a place with a link to its map is not."""
    assert is_online(location) is online
    assert bool(location_link(location)) is (online and "http" in location)


def test_the_table_of_cities_agrees_with_the_airports():
    """Every city of the table has a zone that exists and lies within 45 km of an airport that bears its name."""
    for found in cities().values():
        for city in found:
            if city.weight < 9:
                continue
            named = [
                a for a in airports().values() if a.country == city.country and folded(a.city) == folded(city.name)
            ]
            away = [distance_km((city.latitude, city.longitude), (a.latitude, a.longitude)) for a in named]
            assert ZoneInfo(city.zone)
            assert not away or min(away) < 45, city.name

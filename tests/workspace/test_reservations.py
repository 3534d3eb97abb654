"""Bookings in mails, as JSON-LD, microdata or calendar objects; hostile markup books nothing and breaks nothing."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pea.workspace.reservations import of_item
from pea.workspace.reservations_mail import Reservations, of_mail
from pea.workspace.reservations_markup import MAX_ITEMS, items

FLIGHT = {
    "@context": "http://schema.org",
    "@type": "FlightReservation",
    "reservationNumber": "RXJ34P",
    "reservationStatus": "http://schema.org/ReservationConfirmed",
    "underName": {"@type": "Person", "name": "Nora Brandt"},
    "reservationFor": {
        "@type": "Flight",
        "flightNumber": "110",
        "airline": {"@type": "Airline", "name": "Example", "iataCode": "XA"},
        "departureAirport": {"@type": "Airport", "name": "Berlin", "iataCode": "BER"},
        "departureTime": "2026-05-20T07:00:00+02:00",
        "arrivalAirport": {"@type": "Airport", "iataCode": "CPH"},
        "arrivalTime": "2026-05-20T08:00:00+02:00",
    },
}
MICRODATA = """
<div itemscope itemtype="http://schema.org/LodgingReservation">
 <meta itemprop="reservationNumber" content="H1"><link itemprop="reservationStatus" href="http://schema.org/Cancelled">
 <div itemprop="underName" itemscope itemtype="http://schema.org/Person">
  <span itemprop="name">Nora <b>Brandt</b></span></div>
 <div itemprop="reservationFor" itemscope itemtype="http://schema.org/LodgingBusiness">
  <span itemprop="name">Hotel Havn</span>
  <div itemprop="address" itemscope itemtype="http://schema.org/PostalAddress">
   <span itemprop="addressLocality">Copenhagen</span>
   <meta itemprop="addressCountry" content="DK"></div></div>
 <time itemprop="checkinDate" datetime="2026-05-20T15:00">20 May</time>
 <meta itemprop="checkoutDate" content="2026-05-21">
</div>"""


def mail(html: str, *, kind: str = "text/html", encoded: bool = False) -> bytes:
    head = f"From: a@x\r\nSubject: s\r\nMIME-Version: 1.0\r\nContent-Type: {kind}; charset=utf-8\r\n"
    if encoded:
        return f"{head}Content-Transfer-Encoding: base64\r\n\r\n".encode() + b64encode(html.encode())
    return f"{head}\r\n{html}".encode()


def script(value: object) -> str:
    return f'<html><script type="application/ld+json">{json.dumps(value)}</script></html>'


@pytest.mark.parametrize("shape", [FLIGHT, [FLIGHT], {"@graph": [{"@type": "Organization"}, FLIGHT]}])
@pytest.mark.parametrize("encoded", [False, True])
def test_a_flight_is_read_wherever_its_markup_stands(shape, encoded):
    """Alone, in a list or in a graph; in clear or encoded."""
    (found,) = of_mail(mail(script(shape), encoded=encoded))
    assert (found.kind, found.title, found.number, found.name) == (
        "flight", "Flight XA 110 BER → CPH", "RXJ34P", "Nora Brandt",
    )  # fmt: skip
    assert found.start == datetime(2026, 5, 20, 7, tzinfo=timezone(timedelta(hours=2)))
    assert not found.cancelled


def test_microdata_says_the_same_as_json():
    """Nested items, content in attributes and in text; a cancelled booking is said to be."""
    (found,) = of_mail(mail(MICRODATA))
    assert (found.kind, found.title, found.number, found.name) == ("hotel", "Hotel Havn", "H1", "Nora Brandt")
    assert found.start_place == "Copenhagen, DK"
    assert found.start == datetime(2026, 5, 20, 15)  # noqa: DTZ001 - local to the place
    assert found.cancelled


def test_a_calendar_object_counts_when_it_is_a_journey():
    """An invitation to a meeting is no booking."""
    event = "BEGIN:VEVENT\r\nDTSTART:20260520T050000Z\r\nDTEND:20260520T060000Z\r\nSUMMARY:{}\r\nEND:VEVENT\r\n"
    body = "BEGIN:VCALENDAR\r\n" + event.format("Flight XA 110 BER → CPH") + event.format("Lunch") + "END:VCALENDAR\r\n"
    (found,) = of_mail(mail(body, kind="text/calendar"))
    assert (found.kind, found.ics, found.end_place) == ("flight", True, "CPH")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.sampled_from(["FlightReservation"]),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from([*FLIGHT, "@graph", "name", "address", "flightNumber", "airline", "departureTime"]),
                inner,
                max_size=5,
            )
        ),
        max_leaves=20,
    )
)
@settings(max_examples=120, deadline=None)
def test_no_markup_can_raise(value):
    """Whatever stands in a script, there are bookings or none."""
    for found in of_mail(mail(script(value))):
        assert found.kind


@given(st.text(alphabet="<>/= \"'divspanitemscopepropyh:.", max_size=300))
@settings(max_examples=80, deadline=None)
def test_no_html_can_raise(text):
    """Broken tags are passed over."""
    assert isinstance(items(f'<div itemscope itemtype="x/FlightReservation">{text}'), list)


def test_deep_and_many_are_bounded():
    """Depth and number have ends."""
    deep: object = FLIGHT
    for _ in range(500):
        deep = [deep]
    assert of_mail(mail(script(deep))) == []
    assert len(items(script([FLIGHT] * 5_000))) <= MAX_ITEMS


def test_what_is_no_reservation_is_none():
    """Other items are passed over."""
    assert of_item({"@type": "Organization", "name": "x"}) is None


def test_bookings_in_subfolders_are_found(tmp_path):
    """Maildir++ names its subfolders with a dot, and they hold mail as the others do."""
    markup = {"@type": "FlightReservation", "reservationNumber": "R1", "reservationFor": {"flightNumber": "1"}}
    script = f'<script type="application/ld+json">{json.dumps(markup)}</script>'
    reader = Reservations(tmp_path)
    for folder in ("mail/cur", "mail/.Travel/cur"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "1.mx").write_text(f"From: a@x.example\nContent-Type: text/html\n\n{script}")
    reader.refresh()
    assert [path for path, _ in reader.all] == ["mail/cur/1.mx", "mail/.Travel/cur/1.mx"]
    assert reader.report().items == 2

"""Sensitive data is found by proof, masked wherever it is shown, and not seen where it is not."""

from __future__ import annotations

import zlib

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pea.workspace.privacy import find_sensitive

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def github(body: str) -> str:
    """A token whose checksum is right, made here so that none stands in the repository."""
    number, digits = zlib.crc32(body.encode()), ""
    while number:
        number, rest = divmod(number, 62)
        digits = BASE62[rest] + digits
    return f"ghp_{body}{digits.rjust(6, '0')}"


FOUND = [
    ("IBAN DE89 3704 0044 0532 0130 00 BIC COBADEFF", "IBAN", "370400"),
    ("pay to GB82WEST12345698765432.", "IBAN", "123456987"),
    ("Card 4111 1111 1111 1111 exp 12/27", "payment card", "4111 1111"),
    ("Amex 378282246310005", "payment card", "378282"),
    ("Steuer-ID: 36 574 261 809", "tax number", "574 261"),
    ("AHV 756.9217.0769.85", "national identity number", "9217"),
    ("NHS number 943 476 5919", "health insurance number", "943 476"),
    ("Codice RSSMRA85T10A562S", "tax number", "RSSMRA"),
    ("DNI 12345678Z", "national identity number", "123456"),
    ("call +49 30 901820 now", "phone number", "901820"),
    ("born on 12 March 1985", "date of birth", "1985"),
    (github("a1B2" * 7 + "xy"), "access token", "a1B2"),
    ("password: hunter2!", "password", "hunter2"),
    ("Das Passwort lautet: Sommer2026!", "password", "Sommer"),
    ("api_key = 8f14e45fceea167a5a36dedd4bea2543", "access token", "8f14e45f"),
    ("postgres://bob:s3cret@db.local/x", "password", "s3cret"),
    ("-----BEGIN " + "RSA PRIVATE KEY-----", "private key", "BEGIN"),
    ("PIN: 4921", "password", "4921"),
]
CLEAN = [
    "IBAN DE89 3704 0044 0532 0130 01",  # a check digit off
    "order 4111111111111112",
    "Invoice 2026-000123456789 total 1,234.00",
    "12345678901234567890",
    "reference 36574261809 of the parcel",  # a right number, and nothing that says it is a tax number
    "ghp_" + "a" * 36,
    "your password is required",
    "password: ********",
    "token: your-token-here",
    "We met 14 May 2026 at 16:30 in Room 4.",
]


@pytest.mark.parametrize(("text", "kind", "part"), FOUND, ids=lambda value: str(value)[:24])
def test_it_is_found_and_masked(text: str, kind: str, part: str) -> None:
    """The kind is right, and nothing of the value beyond its mask is in the finding."""
    (found,) = find_sensitive(text)
    assert found.kind == kind
    assert part not in msgspec.json.encode(found).decode()
    assert text[found.start : found.start + found.length]


@pytest.mark.parametrize("text", CLEAN, ids=lambda text: text[:24])
def test_what_does_not_prove_itself_is_left_alone(text: str) -> None:
    """Wrong check digits, placeholders and plain numbers are no findings."""
    assert list(find_sensitive(text)) == []


@given(st.text(max_size=400))
@settings(max_examples=100, deadline=None)
def test_any_text_can_be_scanned(text: str) -> None:
    """Nothing breaks the scan, and findings never overlap."""
    end = 0
    for found in find_sensitive(text):
        assert found.start >= end
        end = found.start + found.length

"""Contacts are read from cards of every version; a broken card does not lose the others."""

from __future__ import annotations

import pytest

from pea.workspace.contacts import Contact, Contacts, parse
from pea.workspace.files import Unreadable

OLD = """BEGIN:VCARD
VERSION:2.1
N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BCller;J=C3=BCrgen
FN;ENCODING=QUOTED-PRINTABLE:J=FCrgen =
M=FCller
TEL;CELL:+49 170 1
TEL;WORK;PREF:+49 30 123
EMAIL;INTERNET:JM@Example.com
END:VCARD
"""
NEW = """BEGIN:VCARD
VERSION:4.0
N:Doe;Jane;;Dr.;
EMAIL;PREF=2:b@x.example
EMAIL;PREF=1:a@x.example
item1.ORG:Acme\\, Inc.;Sales
TITLE:Head of Sales
BDAY:--0412
TEL;VALUE=uri:tel:+1-555
ADR;TYPE=work:;;1 High St;London;;N1;UK
CATEGORIES:board,friends
END:VCARD
"""


def test_version_2_1_in_quoted_printable():
    """Quoted-printable names with soft line breaks and old charsets are decoded."""
    (contact,) = parse(OLD.encode()).contacts
    assert contact == Contact(name="Jürgen Müller", emails=("jm@example.com",), phones=("+49 30 123", "+49 170 1"))


def test_version_4():
    """Preferences order the addresses; structured values are taken apart at what is not escaped."""
    (contact,) = parse(NEW.encode()).contacts
    assert contact == Contact(
        name="Dr. Jane Doe",
        emails=("a@x.example", "b@x.example"),
        phones=("+1-555",),
        organization="Acme, Inc. · Sales",
        title="Head of Sales",
        birthday="--04-12",
        address="1 High St, London, N1, UK",
        categories=("board", "friends"),
    )


@pytest.mark.parametrize(
    ("card", "name"),
    [
        ("FN:Full\nN:Last;First", "Full"),
        ("N:Last;First", "First Last"),
        ("ORG:Acme", "Acme"),
        ("EMAIL:x@y.example", "x@y.example"),
    ],
)
def test_a_name_is_found_where_there_is_one(card, name):
    """A card without a formatted name is called by what it has."""
    assert parse(f"BEGIN:VCARD\n{card}\nEND:VCARD".encode()).contacts[0].name == name


def test_a_broken_card_does_not_lose_the_others():
    """Cards without a name, not closed or cut off leave a note; the rest are served."""
    file = parse(b"BEGIN:VCARD\nFN:A\nBEGIN:VCARD\nNOTE:x\nEND:VCARD\nBEGIN:VCARD\nFN:B\nEND:VCARD\nBEGIN:VCARD\nFN:C")
    assert [contact.name for contact in file.contacts] == ["A", "B", "C"]
    assert file.notes == (
        "a card is not closed before the next begins",
        "a card has neither a name nor an address and was left out",
        "the file ends in the middle of a card",
    )


def test_a_card_within_a_card_is_not_this_person():
    """The agent's card of version 2.1 gives its person nothing of the agent's."""
    (contact,) = parse(b"BEGIN:VCARD\nFN:A\nAGENT:\nBEGIN:VCARD\nFN:B\nTEL:1\nEND:VCARD\nEND:VCARD").contacts
    assert (contact.name, contact.phones) == ("A", ())


def test_control_characters_do_not_reach_the_terminal():
    """Names are one printable line of bounded length."""
    (contact,) = parse(("BEGIN:VCARD\nFN:a\x1b[2J\\nb" + "c" * 1000 + "\nEND:VCARD").encode()).contacts
    assert contact.name.startswith("a [2J b")
    assert contact.name.isprintable()
    assert len(contact.name) == 300


@pytest.mark.parametrize(("data", "reason"), [(b"", "it is empty"), (b"x", "it holds no contact")])
def test_what_is_no_card_is_refused(data, reason):
    """A file without a card is refused with a reason."""
    with pytest.raises(Unreadable, match=reason):
        parse(data)


def test_people_are_found_by_address_and_name(tmp_path):
    """An address belongs to the first card that has it; a name matches by its words in any order."""
    (tmp_path / "contacts").mkdir()
    (tmp_path / "contacts" / "a.vcf").write_text(NEW)
    (tmp_path / "contacts" / "b.vcf").write_text(OLD + NEW.replace("Doe", "Other"))
    contacts = Contacts(tmp_path)
    contacts.refresh()
    found = contacts.by_email(" A@X.example ")
    assert found is not None
    assert (found.name, found.path) == ("Dr. Jane Doe", "contacts/a.vcf")
    assert [contact.name for contact in contacts.named("doe jane")] == ["Dr. Jane Doe"]
    assert contacts.by_email("nobody@x.example") is None
    assert (contacts.report().read, contacts.report().items, len(contacts.all)) == (2, 3, 3)

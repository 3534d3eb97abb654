"""Threads are made by references, by subject only where that is safe, and never lose or repeat a mail."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pea.workspace.mail import Address, Message, base_subject, threads
from pea.workspace.mail.threads import unique

START = datetime(2026, 5, 1, 9, tzinfo=UTC)
ANN, BOB, EVE = Address("ann@x.example", "Ann"), Address("bob@y.example", "Bob"), Address("eve@z.example", "Eve")


def mail(name: str, day: int, subject: str = "Plan", *refs: str, sender: Address = ANN, to: Address = BOB) -> Message:
    return Message(
        id=name, subject=subject, sender=sender, to=(to,), date=START + timedelta(days=day), references=refs, text=name
    )


def ids(messages: list[Message]) -> list[list[str]]:
    return [[m.id for m in thread.messages] for thread in threads(messages)]


def test_references_make_a_thread() -> None:
    """Replies join what they refer to, in order of date, whatever order the files are in."""
    assert ids([mail("c", 2, "Re: Plan", "a", "b"), mail("a", 0), mail("b", 1, "Re: Plan", "a")]) == [["a", "b", "c"]]


def test_a_missing_parent_still_joins_its_children() -> None:
    """Two replies to a mail that is not there belong together."""
    assert ids([mail("b", 1, "x", "lost"), mail("c", 2, "y", "lost")]) == [["b", "c"]]


def test_a_subject_joins_only_a_reply_among_the_same_people() -> None:
    """A reply without references joins by subject; a stranger's mail with the same subject does not."""
    same = [mail("a", 0), mail("b", 1, "RE: Plan", sender=BOB, to=ANN)]
    assert ids(same) == [["a", "b"]]
    assert len(threads([mail("a", 0), mail("b", 1)])) == 2  # no reply prefix
    assert len(threads([mail("a", 0), mail("b", 1, "Re: Plan", sender=EVE, to=EVE)])) == 2
    assert len(threads([mail("a", 0), mail("b", 90, "Re: Plan", sender=BOB, to=ANN)])) == 2  # too long after


def test_a_loop_of_references_ends() -> None:
    """Mails that claim to be each other's parents make one thread and no endless walk."""
    assert ids([mail("a", 0, "x", "b"), mail("b", 1, "x", "a")]) == [["a", "b"]]
    assert ids([mail("a", 0, "x", "a")]) == [["a"]]


def test_a_copy_counts_once_and_different_mails_both() -> None:
    """One mail in two folders is one, with the flags of both; two mails under one id are two, and say so."""
    first = mail("a", 0)
    copy = msgspec.structs.replace(first, flags=("seen",))
    other = msgspec.structs.replace(first, text="something else")
    assert [(m.id, m.flags) for m in unique([first, copy])] == [("a", ("seen",))]
    one, two = unique([first, other])
    assert (one.id, two.id) == ("a", "a#2")
    assert "another mail has the same Message-ID a" in two.notes


@pytest.mark.parametrize(
    ("subject", "base"),
    [
        ("Re: Fwd: AW: Plan", "Plan"),
        ("[list] Re: Plan  for   May", "Plan for May"),
        ("Re[2]: Plan", "Plan"),
        ("SV: Re: [jira] Fix", "Fix"),
        ("Re:", "Re:"),
        ("Reply: no", "Reply: no"),
        ("", ""),
    ],
)
def test_base_subject(subject: str, base: str) -> None:
    """Prefixes of replies in several languages and list tags are taken off."""
    assert base_subject(subject) == base


NAMES = st.sampled_from("abcdefgh")


@given(st.lists(st.tuples(NAMES, st.integers(0, 9), st.lists(NAMES, max_size=4)), max_size=12))
@settings(max_examples=200, deadline=None)
def test_every_mail_is_in_exactly_one_thread(rows: list[tuple[str, int, list[str]]]) -> None:
    """Whatever the references say, no mail is lost or shown twice."""
    messages = [mail(name, day, "Plan", *refs) for name, day, refs in rows]
    found = [m.id for thread in threads(messages) for m in thread.messages]
    assert sorted(found) == sorted(m.id for m in unique(messages))

"""Bodies are cut into reply, quotes and signature as the public email-reply-parser's test files expect."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pea.workspace.mail import fragments, split_body
from tests.absent import DATA, needs

FILES = DATA / "files" / "erp"

needs_files = needs(FILES)


def text_of(name: str) -> str:
    return (FILES / f"{name}.txt").read_bytes().decode()


def shapes(name: str) -> list[tuple[bool, bool, bool]]:
    """Quoted, signature, hidden of each fragment that is not blank."""
    return [(f.quoted, f.signature, f.hidden) for f in fragments(text_of(name)) if f.text.strip()]


@needs_files
def test_reads_a_simple_body_with_two_signatures() -> None:
    """A name behind a dash and a list's footer are both signatures, hidden below the text."""
    assert shapes("email_1_1") == [(False, False, False), (False, True, True), (False, True, True)]


@needs_files
def test_keeps_what_is_said_between_quotes() -> None:
    """Of a mail that answers between quoted parts, the answers stay visible and the trailing quote is hidden."""
    assert shapes("email_1_2") == [
        (False, False, False),
        (True, False, False),
        (False, False, False),
        (True, False, True),
        (False, True, True),
    ]
    reply = split_body(text_of("email_1_2")).reply
    assert "You can list the keys for the bucket" in reply
    assert "What is the best way" not in reply


@needs_files
@pytest.mark.parametrize("path", sorted(FILES.glob("*.txt")), ids=lambda path: path.stem)
def test_every_public_file_has_a_reply(path: Path) -> None:
    """Each file's sender said something, and no quoted line is left in it."""
    reply = split_body(path.read_bytes().decode()).reply
    assert reply
    assert not any(line.startswith(">") for line in reply.split("\n"))


@needs_files
@pytest.mark.parametrize(
    ("name", "reply"),
    [
        ("correct_sig", "this is an email with a correct -- signature."),
        ("email_1_3", "Oh thanks.\n\nHaving the function would be great."),
        ("email_1_4", "Awesome! I haven't had another problem with it."),
        ("email_1_6", "I get proper rendering as well.\n\nSent from a magnificent torch of pixels"),
        ("email_1_7", ":+1:"),
        ("email_1_8", "I will reply under this one\nand under this."),
        ("email_2_1", "Outlook with a reply"),
        ("email_2_2", "Outlook with a reply directly above line"),
        ("email_2_3", "Outlook with a reply above headers using unusual format"),
        ("email_BlackBerry", "Here is another email"),
        ("email_gmail", "This is a test for inbox replying to a github message."),
        ("email_headers_no_delimiter", "And another reply!"),
        ("email_iPhone", "Here is another email"),
        ("email_multi_word_sent_from_my_mobile_device", "Here is another email"),
        (
            "email_sent_from_my_not_signature",
            "Here is another email\n\nSent from my desk, is much easier then my mobile phone.",
        ),
        (
            "pathological",
            "I think you're onto something. I will try to fix the problem as soon as I\nget back to a computer.",
        ),
    ],
)
def test_gives_the_reply_alone(name: str, reply: str) -> None:
    """The reply is exactly what its sender wrote this time."""
    assert split_body(text_of(name)).reply == reply


@needs_files
def test_an_outstanding_question_is_no_attribution() -> None:
    """A paragraph that begins with One is not the beginning of "On … wrote"."""
    reply = split_body(text_of("email_one_is_not_on")).reply
    assert reply.startswith("Thank, this is really helpful.")
    assert reply.endswith("when I run...")


def test_a_lone_date_line_is_the_senders_own() -> None:
    """Words such as "Date:" in a reply hide nothing; only a block that begins with From is a copied header."""
    parts = split_body("Details:\nDate: 14 May\nTo: be discussed\n\nCan you confirm?")
    assert parts.reply.endswith("Can you confirm?")
    assert not parts.quoted


@pytest.mark.parametrize(
    "line",
    [
        "Am 12.05.2026 um 09:10 schrieb Nora <n@x.example>:",
        "Le mar. 12 mai 2026 à 09:10, Nora <n@x.example> a écrit :",
        "El mar, 12 may 2026, Nora escribió:",
        "Op 12 mei 2026 schreef Nora:",
        "-----Original Message-----",
        "---------- Forwarded message ---------",
    ],
)
def test_knows_other_languages(line: str) -> None:
    """Quote headers of other languages and programs hide what follows them."""
    assert split_body(f"My answer.\n\n{line}\n\ntheir words without a mark").reply == "My answer."


@given(st.text(alphabet="ab >-\n:_OnwroteFmSu", max_size=300))
@settings(max_examples=150, deadline=None)
def test_any_text_is_cut_without_inventing(text: str) -> None:
    """Whatever the body, cutting never fails and every line of the parts stands in it."""
    parts = split_body(text)
    lines = {"", *(line.strip() for line in text.split("\n"))}
    for part in (parts.reply, parts.signature):
        assert all(line.strip() in lines for line in part.split("\n") if not line.startswith("On "))

"""Mail as its reader sees it: mailboxes of every kind become messages, messages become threads."""

from __future__ import annotations

from pea.workspace.mail.boxes import READER_VERSION, MailReader, accepts
from pea.workspace.mail.message import Address, Attachment, Mailbox, Message
from pea.workspace.mail.parse import parse_message
from pea.workspace.mail.replies import Fragment, Parts, fragments, split_body
from pea.workspace.mail.store import MailStore
from pea.workspace.mail.threads import Thread, base_subject, people, threads, when

__all__ = [
    "READER_VERSION",
    "Address",
    "Attachment",
    "Fragment",
    "MailReader",
    "MailStore",
    "Mailbox",
    "Message",
    "Parts",
    "Thread",
    "accepts",
    "base_subject",
    "fragments",
    "parse_message",
    "people",
    "split_body",
    "threads",
    "when",
]

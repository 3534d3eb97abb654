"""What a request in plain words comes to: how it was understood, and what became of it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

OWN = "orchestrator.ask"
NEVER = frozenset({OWN, "calendar.solve"})  # itself, and what is for other capabilities only

Request = Annotated[str, msgspec.Meta(min_length=1, max_length=1_000, examples=["what's on tomorrow?"])]


class Understanding(msgspec.Struct, frozen=True, kw_only=True):
    """One reading of a request: a call, why it is read so, and how to make the call by hand."""

    capability: str
    arguments: dict[str, Any]
    because: list[str]
    score: float
    command: str


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a request.

    ``answered``: ``result`` is what ``understood`` returned. ``unsure``: ``question`` asks which of ``choices`` is
    meant, or for what is missing. ``writes``: understood, and left to the user, since it would change something.
    ``refused``: nothing of it was understood. ``failed``: ``understood`` was called and said why it could not.
    """

    status: Literal["answered", "unsure", "writes", "refused", "failed"]
    understood: Understanding | None = None
    question: str = ""
    choices: list[Understanding] = []
    result: Any = None

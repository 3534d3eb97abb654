"""Chat completions as events of a stream."""

from typing import Any

import msgspec


def event(text: str = "", finish: str | None = None, usage: tuple[int, int] | None = None) -> bytes:
    """One event of the stream."""
    choices = [{"index": 0, "delta": {"content": text}, "finish_reason": finish}] if text or finish else []
    told: dict[str, Any] = {"id": "c-1", "model": "tiny-1", "choices": choices}
    if usage is not None:
        told["usage"] = {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage)}
    return b"data: " + msgspec.json.encode(told) + b"\n\n"


def stream(text: str, finish: str = "stop", usage: tuple[int, int] | None = (12, 7)) -> bytes:
    """A whole answer as a stream, word by word."""
    words = [event(word) for word in text.replace(" ", "\x00 ").split("\x00")]
    ends = [event(finish=finish), *([event(usage=usage)] if usage else []), b"data: [DONE]\n\n"]
    return b": a comment\n\n" + b"".join([*words, *ends])

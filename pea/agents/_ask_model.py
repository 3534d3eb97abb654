"""What a language model is asked when the grammar gives up, and what is believed of its answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from pea.agents._ask_fill import said
from pea.agents._ask_views import Understanding

MAX_ARGUMENTS = 20
SYSTEM = (
    "You choose which one of the listed functions answers a request, and with which arguments. Answer with one JSON "
    'object and nothing else: {"capability": "name", "arguments": {...}}, or {"capability": null} when none fits or '
    "the request is no office work. Days are ISO dates. Leave out arguments that the request does not give."
)
_OBJECT = re.compile(r"\{.*\}", re.DOTALL)


class _Chosen(msgspec.Struct, frozen=True):
    capability: str | None
    arguments: dict[str, Any] = {}


def prompt(offers: Sequence[Any], request: str, now: datetime) -> tuple[str, str]:
    """The two messages: what to do, and the functions with the request."""
    lines = [
        f"- {offer.name}({', '.join(f'{field}*' if field in offer.required else field for field in offer.fields)}): "
        f"{offer.description.partition(chr(10))[0]}"
        for offer in offers
    ]
    functions = "\n".join(lines)
    return SYSTEM, f"Functions (* must be given):\n{functions}\n\nIt is {now:%A, %Y-%m-%d}.\nRequest: {request}"


def choice(text: str, offers: Sequence[Any]) -> Understanding | None:
    """The call that the model chose, if it is one of these with arguments that it has; None otherwise."""
    found = _OBJECT.search(text)
    if found is None:
        return None
    try:
        chosen = msgspec.json.decode(found[0], type=_Chosen)
    except (msgspec.MsgspecError, RecursionError):
        return None
    offer = next((one for one in offers if one.name == chosen.capability), None)
    if offer is None or len(chosen.arguments) > MAX_ARGUMENTS:
        return None
    arguments = {name: value for name, value in chosen.arguments.items() if value is not None}
    if not set(arguments) <= set(offer.fields) or not set(offer.required) <= set(arguments):
        return None
    return Understanding(
        capability=offer.name,
        arguments=arguments,
        because=["the language model"],
        score=0.0,
        command=f"pea run {offer.name} {said(arguments)}".strip(),
    )

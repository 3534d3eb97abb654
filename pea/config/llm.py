"""Settings of the optional language model: any endpoint that speaks OpenAI's chat completions."""

from __future__ import annotations

from typing import Annotated

import msgspec

from pea.config.units import Bytes, Seconds


class LlmSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which model, what it may cost, and what may be sent to it. Off without a ``url``."""

    url: str = ""  # such as http://localhost:11434/v1, without /chat/completions
    model: str = ""
    key: str = ""  # "$NAME": the environment variable that holds it; empty: none is sent
    timeout: Seconds = Seconds(60.0)  # of a whole answer
    first_token: Seconds = Seconds(20.0)  # silence, at the beginning or between two pieces
    retries: Annotated[int, msgspec.Meta(ge=0, le=5)] = 2  # before the first piece has come
    max_tokens: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1_024
    temperature: Annotated[float, msgspec.Meta(ge=0, le=2)] = 0.2
    prompt_size: Bytes = Bytes(64 << 10)  # a longer prompt is refused
    answer_size: Bytes = Bytes(256 << 10)  # a longer answer is cut off, and said to be
    concurrency: Annotated[int, msgspec.Meta(ge=1, le=64)] = 4
    day_tokens: Annotated[int, msgspec.Meta(ge=0)] = 200_000  # in and out, a day of the user's zone; 0: none
    task_tokens: Annotated[int, msgspec.Meta(ge=0)] = 20_000  # in and out, of one task
    day_cost: Annotated[float, msgspec.Meta(ge=0)] = 0.0  # in the currency of the prices; 0: not bounded
    input_price: Annotated[float, msgspec.Meta(ge=0)] = 0.0  # of a million tokens
    output_price: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    redact: bool = True  # mask addresses, numbers and secrets before sending; they are put back into the answer
    cache: Seconds = Seconds(86_400.0)  # how long an equal request is answered without asking; 0: never

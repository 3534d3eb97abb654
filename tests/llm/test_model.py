"""A language model is asked within its budgets, with what is personal masked; its faults are told or tried again."""

import asyncio
from datetime import date

import pytest
from aiohttp import web

from pea import InputError, Runtime, Settings
from pea.agents.orchestrator import Orchestrator
from pea.config import Bytes, CacheSettings, LlmSettings, Seconds
from pea.errors import ConfigError
from pea.llm import LlmBudgetSpent, LlmFailed, LlmOff, LlmRefused, Message
from tests.llm.completions import event, stream


def say(text):
    return [Message("system", "Be brief."), Message("user", text)]


async def test_an_answer_comes_with_its_tokens_and_cost(make, server):
    """The text is whole though it came in pieces; tokens are the server's, the cost that of the prices."""
    server.script = ["Grüße aus Zürich, 你好 🌍."]
    answer = await make(input_price=1.0, output_price=2.0).complete(say("hello"), purpose="draft")
    assert answer.text == "Grüße aus Zürich, 你好 🌍."
    assert (answer.input_tokens, answer.output_tokens, answer.model) == (12, 7, "tiny-1")
    assert answer.cost == pytest.approx((12 * 1 + 7 * 2) / 1e6)
    sent = server.requests[0]
    assert (sent["model"], sent["stream"], sent["max_tokens"]) == ("tiny", True, 1024)


async def test_it_streams(make, server):
    """Pieces are given as they come, and together are the answer."""
    server.script = ["one two three"]
    pieces = [piece async for piece in make().stream(say("count"), purpose="draft")]
    assert len(pieces) > 1
    assert "".join(pieces) == "one two three"


async def test_a_server_that_does_not_stream(make, server):
    """The whole answer at once is understood as well."""
    whole = {"choices": [{"message": {"content": "all at once"}, "finish_reason": "stop"}], "model": "m"}
    server.script = [lambda _: web.json_response(whole)]
    answer = await make().complete(say("x"), purpose="draft")
    assert answer.text == "all at once"
    assert answer.output_tokens > 0  # estimated: the server did not count
    whole["choices"][0]["message"]["content"] = "word " * 200_000  # more than is read at once
    answer = await make(answer_size=Bytes(2_000_000)).complete(say("y"), purpose="draft")
    assert len(answer.text) == 1_000_000


async def test_the_span_is_that_of_the_genai_conventions(make, server, telemetry):
    """Its name and attributes are the conventions'; what was said is not among them."""
    await make(key="sk-secret").complete(say("my password is hunter2"), purpose="summary")
    await telemetry.flush()
    (trace,) = telemetry.recent.list()
    (span,) = telemetry.recent.get(trace.trace_id)
    assert (span.name, span.kind) == ("chat tiny", "client")
    expected = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "tiny",
        "gen_ai.response.model": "tiny-1",
        "gen_ai.usage.input_tokens": 12,
        "gen_ai.usage.output_tokens": 7,
        "pea.llm.purpose": "summary",
    }
    assert {name: span.attributes[name] for name in expected} == expected
    assert "hunter2" not in str(span.attributes)
    assert server.headers[0]["traceparent"].split("-")[2] == span.span_id
    assert server.headers[0]["Authorization"] == "Bearer sk-secret"


PERSONAL = "Write to anna@example.com or +49 151 23456789, IBAN DE89 3704 0044 0532 0130 00, card 4111 1111 1111 1111."


async def test_what_is_personal_never_leaves(make, server):
    """Addresses, numbers and secrets are masked in what is sent, and back in the answer, streamed or not."""

    def echo(body):
        return stream(body["messages"][-1]["content"])

    server.script = [echo]
    model = make()
    answer = await model.complete(say(PERSONAL), purpose="draft")
    sent = str(server.requests)
    for secret in ("anna@example.com", "23456789", "0532 0130", "4111"):
        assert secret not in sent
    assert answer.text == PERSONAL
    assert answer.masked == 4
    assert "".join([piece async for piece in model.stream(say(PERSONAL), purpose="draft")]) == PERSONAL


async def test_no_part_of_what_is_personal_is_left(make, server):
    """What looks like two things at once is masked as far as either goes."""
    await make().complete(say("ask 4111111111111111.anna@example.com"), purpose="draft")
    assert server.requests[0]["messages"][1]["content"] == "ask [[EMAIL_1]]"


async def test_marks_cannot_be_forged(make, server):
    """A text that contains a mark by itself is not turned into somebody's address by the answer."""
    server.script = ["[[EMAIL_1]] and [[EMAIL_9]]"]
    answer = await make().complete(say("I write [[EMAIL_1]] myself; mail bob@example.com"), purpose="draft")
    assert "[ EMAIL_1 ]" in server.requests[0]["messages"][1]["content"]
    assert answer.text == "bob@example.com and [[EMAIL_9]]"


async def test_masking_can_be_turned_off(make, server):
    """For a model on one's own machine."""
    await make(redact=False).complete(say(PERSONAL), purpose="draft")
    assert "anna@example.com" in str(server.requests)


@pytest.mark.parametrize(
    "fault",
    [
        lambda _: web.Response(status=503, text="overloaded"),
        lambda _: web.Response(status=429, text="slow down", headers={"Retry-After": "3"}),
        event("half an ans"),
        event("half") + b'data: {"error": {"message": "cuda out of memory"}}\n\n',
        lambda _: web.Response(status=503, text="later", headers={"Retry-After": "\u00b2"}),
        b"data: not json\n\n",
        b'data: {"id": "\xff"}\n\n',
        b"",
    ],
    ids=["503", "429", "broken off", "error in the stream", "no number", "no json", "no text", "nothing"],
)
async def test_a_fault_is_tried_again(make, server, fault):
    """Once more, after a pause that the server may set; half an answer is never given as a whole one."""
    server.script = [fault, "whole"]
    model = make()
    assert (await model.complete(say("x"), purpose="draft")).text == "whole"
    assert len(server.requests) == 2
    assert len(model.pauses) == 1
    if "429" in str(fault):
        assert model.pauses == [3.0]


async def test_a_fault_that_stays_is_told(make, server):
    """After the last attempt it is an error that says what the server said; nothing is charged."""
    server.script = [lambda _: web.Response(status=500, text="kaputt")]
    model = make(retries=1)
    with pytest.raises(LlmFailed, match="kaputt"):
        await model.complete(say("x"), purpose="draft")
    assert len(server.requests) == 2
    assert (await model.spent()).tokens == 0


async def test_a_stream_that_was_seen_is_not_begun_again(make, server):
    """Who has read half an answer gets an error, not another beginning."""
    server.script = [event("half an answer of some length "), "another"]
    pieces: list[str] = []

    async def read() -> None:
        async for piece in make().stream(say("x"), purpose="draft"):
            pieces.append(piece)  # noqa: PERF401 - what came before the fault is looked at

    with pytest.raises(LlmFailed, match="broke off"):
        await read()
    assert "".join(pieces).startswith("half")
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
async def test_a_refusal_is_not_tried_again(make, server, status):
    """A wrong key stays wrong."""
    server.script = [lambda _: web.Response(status=status, text="no such model")]
    with pytest.raises(LlmRefused, match="no such model"):
        await make().complete(say("x"), purpose="draft")
    assert len(server.requests) == 1


async def test_a_server_that_is_not_there(make):
    """Its address is told."""
    with pytest.raises(LlmFailed, match=r"127\.0\.0\.1:1/v1: cannot be reached"):
        await make(url="http://127.0.0.1:1/v1", retries=0).complete(say("x"), purpose="draft")


async def test_silence_is_a_fault(make, server):
    """A server that takes the request and says nothing is left when its time is up."""
    server.silent = True
    with pytest.raises(LlmFailed, match="silent"):
        await make(retries=0, first_token=Seconds(0.05)).complete(say("x"), purpose="draft")


async def test_a_redirect_is_not_followed(make, server):
    """The key goes to the configured address only."""
    server.script = [lambda _: web.Response(status=307, headers={"Location": "http://127.0.0.1:1/v1"})]
    with pytest.raises(LlmFailed, match="307"):
        await make(retries=0, key="sk").complete(say("x"), purpose="draft")


async def test_an_endless_answer_is_cut(make, server):
    """What is longer than the bound is cut off, and said to be."""
    server.script = [stream("x" * 50_000)]
    answer = await make(answer_size=Bytes(1_000)).complete(say("x"), purpose="draft")
    assert (len(answer.text), answer.cut) == (1_000, True)
    server.script = [b"data: " + b"x" * 3_000_000]
    with pytest.raises(LlmFailed):
        await make(retries=0).complete(say("y"), purpose="draft")


async def test_a_prompt_that_is_too_long_is_refused(make, server):
    """Nothing is sent then."""
    with pytest.raises(InputError, match="prompt_size"):
        await make(prompt_size=Bytes(1_000)).complete(say("x" * 2_000), purpose="draft")
    assert server.requests == []


async def test_the_days_tokens_are_bounded_over_restarts(make, server):
    """Past the limit nothing is sent, in this process or the next; the message names the limit."""
    first = make(day_tokens=1_100, max_tokens=1_000)
    await first.complete(say("x"), purpose="draft")
    assert (await first.spent()).tokens == 19  # what it used, not what was set aside
    second = make(day_tokens=1_100, max_tokens=1_000)
    for _ in range(4):
        await second.complete(say("x"), purpose="draft")
    with pytest.raises(LlmBudgetSpent, match="day_tokens"):
        await second.complete(say("x"), purpose="draft")
    assert len(server.requests) == 5


async def test_a_tasks_tokens_are_bounded(make):
    """One task cannot use up the day; another may go on."""
    model = make(task_tokens=1_040, max_tokens=1_000)
    for _ in range(2):
        await model.complete(say("x"), purpose="draft", task="t1")
    with pytest.raises(LlmBudgetSpent, match="task_tokens"):
        await model.complete(say("x"), purpose="draft", task="t1")
    await model.complete(say("x"), purpose="draft", task="t2")


async def test_the_days_cost_is_bounded(make):
    """Money is set aside before it is spent."""
    model = make(day_cost=0.001, output_price=2.0, max_tokens=1_000)
    with pytest.raises(LlmBudgetSpent, match="day_cost"):
        await model.complete(say("x"), purpose="draft")


async def test_requests_side_by_side_do_not_overspend(make, server):
    """What others have set aside counts."""
    model = make(day_tokens=2_500, max_tokens=1_000)
    results = await asyncio.gather(
        *(model.complete(say(str(n)), purpose="draft") for n in range(6)), return_exceptions=True
    )
    assert sum(isinstance(one, LlmBudgetSpent) for one in results) >= 1
    assert (await model.spent()).tokens <= 2_500


async def test_off_means_off(make):
    """Without an address there is no model, and asking says how to have one."""
    model = make(url="")
    assert not model.on
    with pytest.raises(LlmOff, match=r"set llm\.url"):
        await model.complete(say("x"), purpose="draft")


async def test_a_key_of_the_environment(make, server, monkeypatch):
    """`$NAME` is read when it is needed; a missing one is told by name."""
    monkeypatch.setenv("LLM_KEY_FOR_TEST", "sk-env")
    await make(key="$LLM_KEY_FOR_TEST").complete(say("x"), purpose="draft")
    assert server.headers[0]["Authorization"] == "Bearer sk-env"
    monkeypatch.delenv("LLM_KEY_FOR_TEST")
    with pytest.raises(ConfigError, match="LLM_KEY_FOR_TEST"):
        await make(key="$LLM_KEY_FOR_TEST").complete(say("y"), purpose="draft")


async def test_equal_requests_are_asked_once(server, tmp_path):
    """In a fleet the answer is kept; another's address in an equal request is put into it."""
    server.script = [lambda body: stream(body["messages"][-1]["content"].upper().replace("[[EMAIL_1]]", "[[EMAIL_1]]"))]
    settings = Settings(
        state=str(tmp_path),
        llm=LlmSettings(url=server.url, model="tiny", timeout=Seconds(5)),
        cache=CacheSettings(),
        today=date(2026, 5, 12).isoformat(),
    )
    async with Runtime(settings, agents=[Orchestrator()]) as runtime:
        llm = runtime.dispatcher.llm
        first = await llm.complete(say("write to anna@example.com"), purpose="draft")
        second = await llm.complete(say("write to bob@example.com"), purpose="draft")
    assert (first.text, first.cached) == ("WRITE TO anna@example.com", False)
    assert (second.text, second.cached, second.cost) == ("WRITE TO bob@example.com", True, 0.0)
    assert len(server.requests) == 1

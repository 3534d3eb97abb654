"""Telling people: what is told, once and in order, to receivers that are slow, broken or dead."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from aiohttp import web
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from structlog.testing import capture_logs

from pea.service.alerts_detector import shipped_path
from pea.watch.alert import Alert, State, alert_id
from pea.watch.notify import Notice, Outbox, OutboxState, Planner, Send, sender, to_log
from pea.watch.notify.notice import body
from pea.watch.notify.outbox import MAX_WAITING
from pea.watch.notify.senders import letter, signature, webhook_body
from pea.watch.rule import Receiver, told_everywhere
from pea.watch.rule_file import load_rules, parse_rules
from tests.watch.conftest import NOW_S, Clock

RULES = parse_rules([("mine.yaml", """
version: 1
rules:
  - {name: slow, signal: agent.latency.p95, by: [agent], above: 1s, notify: [log, hook]}
  - {name: bad, signal: agent.errors, above: 5%, notify: [peers]}
receivers:
  - {name: hook, kind: webhook, url: "http://x"}
  - {name: peers, kind: alertmanager, url: "http://x"}
""")])  # fmt: skip


def alert(agent: str = "travel", state: State = State.FIRING, rule: str = "slow", **more: Any) -> Alert:
    """An alert that fired a minute ago."""
    labels = {"agent": agent}
    return Alert(
        id=alert_id(rule, labels),
        rule=rule,
        type=rule,
        severity="high",
        labels=labels,
        state=state,
        message=f'Agent {agent} is "slow"',
        since_s=NOW_S - 90,
        fired_s=NOW_S - 60,
        resolved_s=NOW_S if state is State.RESOLVED else None,
        exemplars=("0" * 31 + "7",),
        **more,
    )


def notice(*alerts: Alert, receiver: str = "hook") -> Notice:
    return Notice(id="n1", receiver=receiver, group={"rule": "slow"}, alerts=alerts or (alert(),), at_s=NOW_S)


def told(planner: Planner, now_s: float, *alerts: Alert, muted: bool = False) -> dict[str, list[str]]:
    """Who is told of which agents."""
    found: dict[str, list[str]] = {}
    for one in planner.plan(alerts, RULES, now_s, lambda alert: muted):
        found.setdefault(one.receiver, []).append(",".join(held.labels["agent"] for held in one.alerts))
    return found


def test_alerts_of_a_group_are_told_together_and_once() -> None:
    """One notice for each receiver and group; the next round tells nothing new."""
    planner = Planner()
    assert told(planner, NOW_S, alert("a"), alert("b")) == {"log": ["a,b"], "hook": ["a,b"]}
    assert told(planner, NOW_S + 10, alert("a"), alert("b")) == {}
    assert told(planner, NOW_S + 20, alert("a"), alert("b"), alert("c")) == {"log": ["c"], "hook": ["c"]}


def test_what_lasts_is_told_again_after_its_time() -> None:
    """`resend` is four hours by default; Alertmanager hears every minute, or it would end the alert."""
    planner = Planner()
    told(planner, NOW_S, alert(), alert(rule="bad"))
    assert told(planner, NOW_S + 70, alert(), alert(rule="bad")) == {"peers": ["travel"]}
    assert set(told(planner, NOW_S + 4 * 3_600, alert(), alert(rule="bad"))) == {"log", "hook", "peers"}


def test_the_end_is_told_to_those_who_heard_of_the_beginning() -> None:
    """An alert that nobody heard of ends in silence."""
    planner = Planner()
    assert told(planner, NOW_S, alert(state=State.RESOLVED)) == {}
    told(planner, NOW_S, alert())
    assert told(planner, NOW_S + 10, alert(state=State.RESOLVED)) == {"log": ["travel"], "hook": ["travel"]}
    assert told(planner, NOW_S + 20, alert(state=State.RESOLVED)) == {}


def test_what_is_muted_is_told_when_it_no_longer_is() -> None:
    """A silence delays; it does not lose."""
    planner = Planner()
    assert told(planner, NOW_S, alert(), muted=True) == {}
    assert told(planner, NOW_S + 10, alert()) == {"log": ["travel"], "hook": ["travel"]}


def test_pending_alerts_are_nobodys_business() -> None:
    """Only what fires is told."""
    assert told(Planner(), NOW_S, alert(state=State.PENDING)) == {}


class Flaky:
    """A receiver that fails as often as it is told to."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.got: list[Notice] = []

    async def __call__(self, given: Notice) -> None:
        if self.failures:
            self.failures -= 1
            raise ConnectionError("nobody listens")
        self.got.append(given)


async def test_a_dead_receiver_loses_nothing_and_holds_up_nobody(clock: Clock) -> None:
    """What cannot be sent waits, in order, with growing pauses; others are told at once."""
    dead, live = Flaky(2), Flaky(0)
    senders: dict[str, Send] = {"dead": dead, "live": live}
    box = Outbox(clock=clock, jitter=lambda: 1.0)
    box.put([notice(alert("a"), receiver="dead"), notice(alert("b"), receiver="dead"), notice(receiver="live")])
    assert await box.deliver(senders)
    assert (len(live.got), box.status()["dead"].waiting, box.status()["dead"].failing) == (1, 2, 1)
    assert not await box.deliver(senders)
    clock.move(1)
    await box.deliver(senders)
    clock.move(1)
    assert not await box.deliver(senders)
    clock.move(1)
    again = Outbox(msgspec.json.decode(msgspec.json.encode(box.state()), type=OutboxState), clock=clock)
    await again.deliver(senders)
    assert [one.alerts[0].labels["agent"] for one in dead.got] == ["a", "b"]


def test_too_many_notices_of_a_group_become_one_that_says_how_things_stand(clock: Clock) -> None:
    """The queue is bounded; each alert's last state is kept."""
    box = Outbox(clock=clock)
    for number in range(MAX_WAITING):
        box.put([notice(alert(f"a{number % 3}"))])
    box.put([notice(alert("a0", State.RESOLVED))])
    (left,) = box.state().waiting
    assert {one.labels["agent"]: one.state for one in left.alerts} == {"a0": "resolved", "a1": "firing", "a2": "firing"}


async def test_notices_for_a_receiver_that_is_gone_are_given_up(clock: Clock) -> None:
    """New rules without a receiver end its queue."""
    box = Outbox(clock=clock)
    box.put([notice()])
    await box.deliver({})
    assert box.state().waiting == []


class Hook:
    """A real HTTP server that remembers what it was sent."""

    def __init__(self) -> None:
        self.status = 200
        self.url = ""
        self.got: list[tuple[str, dict[str, str], bytes]] = []

    async def take(self, request: web.Request) -> web.Response:
        self.got.append((request.path, dict(request.headers), await request.read()))
        return web.Response(status=self.status, text="no room")


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    made = Hook()
    app = web.Application()
    app.router.add_post("/{tail:.*}", made.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


async def test_a_webhook_is_signed_over_time_and_body(hook: Hook, clock: Clock) -> None:
    """Whoever has the key can check who wrote it, and when."""
    receiver = Receiver(name="hook", kind="webhook", url=f"{hook.url}/in", secret_env="KEY")
    await sender(receiver, "http://pea", {"KEY": "secret"}, clock)(notice())
    path, headers, data = hook.got[0]
    assert path == "/in"
    assert headers["X-Pea-Signature"] == signature("secret", headers["X-Pea-Timestamp"], data)
    said = json.loads(data)
    assert (said["status"], said["alerts"][0]["labels"], headers["X-Pea-Notice"]) == (
        "firing",
        {"agent": "travel"},
        "n1",
    )


async def test_a_refusal_or_a_missing_key_is_a_failure(hook: Hook, clock: Clock) -> None:
    """What was not taken is tried again; unsigned is never sent."""
    receiver = Receiver(name="hook", kind="webhook", url=hook.url, secret_env="KEY")
    with pytest.raises(Exception, match="KEY is not set"):
        await sender(receiver, "", {}, clock)(notice())
    hook.status = 500
    with pytest.raises(Exception, match="answered 500: no room"):
        await sender(receiver, "", {"KEY": "k"}, clock)(notice())


def test_a_template_is_filled_without_breaking_out_of_its_quotes() -> None:
    """Quotes and lines in a message stay inside the JSON string they are put into."""
    data = webhook_body(notice(), '{{"text": "{title}\\n{text}", "state": "{status}"}}')
    assert json.loads(data)["text"].startswith('[firing] high: Agent travel is "slow"\n')


async def test_alertmanager_is_sent_its_own_api(hook: Hook, clock: Clock) -> None:
    """Version 2: labels, annotations, and an end that lies ahead while it fires."""
    receiver = Receiver(name="peers", kind="alertmanager", url=f"{hook.url}/am/")
    await sender(receiver, "http://pea", {}, clock)(notice(alert(), alert("mail", State.RESOLVED)))
    path, _, data = hook.got[0]
    firing, over = json.loads(data)
    assert path == "/am/api/v2/alerts"
    assert firing["labels"] == {"alertname": "slow", "severity": "high", "type": "slow", "agent": "travel"}
    assert firing["startsAt"] < over["endsAt"] < firing["endsAt"]
    assert firing["annotations"]["traces"] == f"http://pea/traces/{'0' * 31}7"


async def test_a_collector_is_sent_log_events(hook: Hook, clock: Clock) -> None:
    """OTLP's JSON on /v1/logs, whether or not the address says so; the record points to a trace that shows it."""
    for url in (hook.url, f"{hook.url}/v1/logs"):
        await sender(Receiver(name="otel", kind="otlp", url=url), "http://pea", {}, clock)(
            notice(msgspec.structs.replace(alert(), exemplars=("ab" * 16,), fired_s=100.0))
        )
    assert [path for path, _, _ in hook.got] == ["/v1/logs"] * 2
    request = ExportLogsServiceRequest()
    held = json.loads(hook.got[0][2])
    for record in held["resourceLogs"][0]["scopeLogs"][0]["logRecords"]:
        record["traceId"] = base64.b64encode(bytes.fromhex(record["traceId"])).decode()  # as protobuf's own JSON has it
    ParseDict(held, request)
    (record,) = request.resource_logs[0].scope_logs[0].log_records
    assert (record.event_name, record.severity_number, record.trace_id) == ("pea.alert", 17, bytes.fromhex("ab" * 16))
    assert record.time_unix_nano == 100 * 10**9
    assert {one.key: one.value.string_value for one in record.attributes}["pea.alert.rule"] == "slow"


async def test_mail_is_sent_by_smtp(clock: Clock) -> None:
    """A real conversation with a server; the Message-ID is the notice's, so a second try is no second mail."""
    lines: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        while line := (await reader.readline()).decode().rstrip("\r\n"):
            lines.append(line)
            if line.upper() == "DATA":
                writer.write(b"354 go\r\n")
                while (line := (await reader.readline()).decode().rstrip("\r\n")) != ".":
                    lines.append(line)
            writer.write(b"221 bye\r\n" if line.upper() == "QUIT" else b"250 ok\r\n")
            if line.upper() == "QUIT":
                break
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        receiver = Receiver(
            name="m",
            kind="smtp",
            host="127.0.0.1",
            port=port,
            tls="none",
            sender="pea@example.org",
            to=("me@example.org",),
        )
        await sender(receiver, "http://pea", {}, clock)(notice())
    assert "rcpt TO:<me@example.org>" in lines
    assert "Message-ID: <n1@example.org>" in lines
    assert f"  http://pea/traces/{'0' * 31}7" in lines


def test_a_message_cannot_write_headers_of_its_own() -> None:
    """A line break in an agent's name does not reach the head of the mail."""
    bad = msgspec.structs.replace(alert(), message="slow\r\nBcc: all@example.org")
    receiver = Receiver(name="m", kind="smtp", host="h", sender="pea@example.org", to=("me@example.org",))
    made = letter(notice(bad), receiver)
    assert made["Bcc"] is None
    assert "\n" not in made["Subject"]


async def test_the_log_gets_a_line_for_each_alert() -> None:
    """With the rule, the labels and the message."""
    with capture_logs() as lines:
        await to_log(notice())
    (line,) = lines
    assert (line["event"], line["rule"], line["label.agent"]) == ("alert firing", "slow", "travel")
    assert "Agent travel is" in line["message"]


def test_the_text_says_since_when_and_where_to_look() -> None:
    """For people: state, message, labels, times, traces."""
    text = body(notice(alert(), alert("mail", State.RESOLVED)), "http://pea")
    assert "FIRING high: Agent travel" in text
    assert "RESOLVED high: Agent mail" in text
    assert "over since 2027-01-15T08:00:00.000Z" in text


def test_alertmanagers_of_the_settings_are_told_of_every_rule() -> None:
    """One line of configuration sends all alerts on; whom a rule names stays named, and the digest is the files'."""
    rules = load_rules([shipped_path()])
    told = told_everywhere(rules, ["http://am:9093", "http://am:9093"])
    (added,) = told.receivers[len(rules.receivers) :]
    assert (added.kind, added.url) == ("alertmanager", "http://am:9093")
    assert all(
        rule.notify == (*before.notify, added.name) for rule, before in zip(told.rules, rules.rules, strict=True)
    )
    assert told.digest == rules.digest
    assert told_everywhere(rules, ()) == rules

"""Sections of the runtime's page about what goes between agents, and out to servers."""

from __future__ import annotations

from dashboards.panels import RED, YELLOW, Line, Panel, over_time
from dashboards.queries import by, calls, per_second, ratio
from dashboards.shapes import failures, p95, quantiles, rate
from pea.telemetry import names

BATCHED, BATCH = names.METRIC_BATCH_CALLS, names.METRIC_BATCH_DURATION
BROADCAST, PUBLISH = names.METRIC_BROADCAST_DURATION, names.METRIC_PUBLISH_DURATION
REQUESTS, EXCHANGE = names.METRIC_HTTP_CONNECTIONS, names.METRIC_CONNECTOR_CALL_DURATION


def between_agents() -> list[Panel]:
    """Batches, broadcasts and topics."""
    capability, legend = names.PEA_CAPABILITY, "{{pea_capability}}"
    batched = by("sum", capability, per_second(BATCHED))
    return [
        over_time(
            "Calls done together",
            "Share of a batched capability's calls that were done together with another. The others waited in vain.",
            "percentunit",
            Line(ratio(by("sum", capability, per_second(BATCHED, 'pea_batch_shared="true"')), batched), legend),
            most=1,
        ),
        over_time(
            "Calls in a batch",
            "Mean number of calls that a batch does at once.",
            "short",
            Line(f"{batched} / {calls(BATCH, capability)}", legend),
        ),
        p95(
            "p95 of batches",
            "95 of 100 batches take at most this long, from when they are full or their window has passed.",
            BATCH,
            capability,
        ),
        over_time(
            "Broadcasts and messages",
            "Questions to many agents at once, and messages published, per second.",
            "cps",
            Line(calls(BROADCAST), "broadcasts"),
            Line(calls(PUBLISH), "messages"),
        ),
        quantiles(
            "Duration of broadcasts",
            "How long until the last reply was taken. A reply that takes longer than 1 s counts as failed.",
            BROADCAST,
            at=(0.5, 0.95),
            limits={1: YELLOW},
        ),
        quantiles(
            "Wait of publishers",
            "How long publishers waited for room with their subscribers. After 1 s a subscriber misses the message.",
            PUBLISH,
            at=(0.5, 0.95),
            limits={1: RED},
        ),
    ]


def http() -> list[Panel]:
    """The connections behind `ctx.http`."""
    outcome = names.PEA_POOL_OUTCOME
    whole = by("sum", (), per_second(REQUESTS))
    reused = by("sum", (), per_second(REQUESTS, 'pea_pool_outcome="reused"'))
    return [
        rate(
            "Requests by connection",
            "Agents' HTTP requests per second: over a new connection, over one that was open, or without getting any.",
            REQUESTS,
            outcome,
            width=12,
        ),
        over_time(
            "Connections reused",
            "Share of requests whose connection was open already: what the pool saves.",
            "percentunit",
            Line(ratio(reused, whole), "reused"),
            most=1,
            width=12,
        ),
    ]


def connectors() -> list[Panel]:
    """Exchanges with the user's calendar, mail and web servers."""
    account = names.PEA_CONNECTOR_NAME
    both = (account, names.PEA_CONNECTOR_OPERATION)
    return [
        rate(
            "Exchanges with servers",
            "Exchanges per second by account and operation; repeated attempts are within one.",
            EXCHANGE,
            both,
            unit="cps",
        ),
        p95(
            "p95 of exchanges",
            "95 of 100 exchanges take at most this long, repeated attempts included. One attempt may take 20 s.",
            EXCHANGE,
            both,
            limits={20: RED},
        ),
        failures(
            "Failed exchanges",
            "Share that failed, by account. While a server does not answer, the last good copy is shown.",
            EXCHANGE,
            account,
            limits={0.05: YELLOW, 0.5: RED},
        ),
    ]

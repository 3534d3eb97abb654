"""Runtime: event loop, queues, workers, memory, messages; and what watching all this costs and loses."""

from __future__ import annotations

from dashboards.board import Board
from dashboards.boards import traffic
from dashboards.panels import RED, YELLOW, Line, Panel, figure, over_time, spread
from dashboards.queries import by, mean, number, per_second, quantile
from dashboards.shapes import level, p95, quantiles, rate
from pea.telemetry import names

LAG, DRAIN, QUEUE, WORKER = (
    names.METRIC_LOOP_LAG,
    names.METRIC_TELEMETRY_DRAIN_DURATION,
    names.METRIC_TASK_QUEUE_DURATION,
    names.METRIC_WORKER_JOB_DURATION,
)
SPANS, OUTCOME = names.METRIC_TELEMETRY_SPANS, names.PEA_TELEMETRY_OUTCOME
HELD = by("sum", "instance", per_second(DRAIN, suffix="_sum"))
LOST = by("sum", (), per_second(SPANS, 'pea_telemetry_outcome=~"dropped|export_failed|export_dropped"'))


def board() -> Board:
    """The page for whoever runs the process."""
    return Board(
        uid="pea-runtime",
        title="PEA / Runtime",
        about="The event loop, queues, workers, memory and messages; and what watching all this costs and loses.",
        home=LAG,
        sections={
            "Now": _now(),
            "Event loop and queues": _loop(),
            "Workers": _workers(),
            "Journal": _journal(),
            "Process": _process(),
            "Memory pressure": _pressure(),
            "Batches, broadcasts and topics": traffic.between_agents(),
            "HTTP connections": traffic.http(),
            "Connectors": traffic.connectors(),
            "Telemetry's own account": _telemetry(),
        },
    )


def _now() -> list[Panel]:
    return [
        figure(
            "Loop lag, p99",
            "How late the event loop runs what is due. An alert fires above 250 ms.",
            "s",
            Line(quantile(0.99, LAG), "p99"),
            limits={0.05: YELLOW, 0.25: RED},
        ),
        figure(
            "Waiting tasks",
            "Tasks that wait for a free place.",
            "short",
            Line(f"sum ({number(names.METRIC_TASK_QUEUED)})", "waiting"),
            limits={100: YELLOW, 500: RED},
        ),
        figure(
            "CPU",
            "Share of all CPUs in use.",
            "percentunit",
            Line(f"max ({number(names.METRIC_PROCESS_CPU_UTILIZATION)})", "CPU"),
            limits={0.7: YELLOW, 0.9: RED},
            decimals=1,
        ),
        figure(
            "Memory",
            "Physical memory, of the largest process.",
            "bytes",
            Line(f"max ({number(names.METRIC_PROCESS_MEMORY_USAGE)})", "memory"),
            limits={512e6: YELLOW, 1e9: RED},
        ),
        figure(
            "Cost of telemetry",
            "Share of the event loop's time that the drain of spans takes.",
            "percentunit",
            Line(f"max ({HELD})", "drain"),
            limits={0.05: YELLOW, 0.15: RED},
            decimals=2,
        ),
        figure(
            "Lost spans",
            "Spans per second that were dropped or that no receiver took: 0, or what is shown is incomplete.",
            "cps",
            Line(LOST, "lost/s"),
            limits={0.001: RED},
        ),
    ]


def _loop() -> list[Panel]:
    return [
        quantiles("Loop lag", "How late the event loop ran what was due.", LAG, exemplars=False, limits={0.25: RED}),
        spread(
            "Spread of the lag",
            "How often the loop was how late.",
            "s",
            Line(by("sum", "le", per_second(LAG, suffix="_bucket")), "{{le}}"),
            width=8,
        ),
        p95(
            "Wait for a free place",
            "How long tasks waited, p95 by priority. An alert fires above 1 s.",
            QUEUE,
            names.PEA_TASK_PRIORITY,
            exemplars=False,
            limits={1: RED},
        ),
        over_time(
            "Queue",
            "Tasks that run, tasks that wait, and how many may run at once: the limit adapts to what is possible.",
            "short",
            Line(f"sum ({number(names.METRIC_TASK_ACTIVE)})", "running"),
            Line(f"sum ({number(names.METRIC_TASK_QUEUED)})", "waiting"),
            Line(f"sum ({number(names.METRIC_TASK_LIMIT)})", "limit"),
            width=12,
        ),
        rate(
            "Tasks refused",
            "Tasks per second that were not taken in, by priority and reason: each was told so at once.",
            names.METRIC_TASK_REFUSED,
            (names.PEA_TASK_PRIORITY, names.PEA_TASK_REFUSAL),
            width=12,
        ),
    ]


def _workers() -> list[Panel]:
    function, legend = names.PEA_WORKER_FUNCTION, "{{pea_worker_function}}"
    return [
        rate("Jobs", "Jobs per second in the worker pool, by function.", WORKER, function),
        p95(
            "p95 of jobs",
            "95 of 100 jobs take at most this long, hand-over included. A job may take 30 s.",
            WORKER,
            function,
            limits={30: RED},
        ),
        over_time(
            "Busy workers",
            "Seconds of work per second: how many workers are busy on average.",
            "short",
            Line(by("sum", function, per_second(WORKER, suffix="_sum")), legend),
            stacked=True,
        ),
    ]


def _journal() -> list[Panel]:
    return [
        p95(
            "Wait for the journal",
            "How long tasks waited until what they did was on the disk, p95 by kind of entry.",
            names.METRIC_JOURNAL_WRITE_DURATION,
            names.PEA_JOURNAL_ENTRY,
            exemplars=False,
            limits={0.05: YELLOW},
        ),
        quantiles(
            "Transactions",
            "How long transactions took, the disk's fsync included.",
            names.METRIC_JOURNAL_COMMIT_DURATION,
            at=(0.5, 0.99),
        ),
        over_time(
            "Writes that share a transaction",
            "Mean number of writes in one transaction, and so one fsync: more under load, or the disk is the bound.",
            "short",
            Line(mean(names.METRIC_JOURNAL_COMMIT_ITEMS), "writes"),
        ),
        rate(
            "Tasks in the journal",
            "Tasks per second by what the journal made of them.",
            names.METRIC_JOURNAL_TASKS,
            names.PEA_JOURNAL_OUTCOME,
            unit="cps",
            stacked=False,
        ),
        over_time(
            "Waiting to be written, and written",
            "Bytes that wait for the disk, and the size of the journal's file.",
            "bytes",
            Line(by("sum", (), number(names.METRIC_JOURNAL_PENDING)), "waiting"),
            Line(by("sum", (), number(names.METRIC_JOURNAL_USAGE)), "file"),
        ),
        over_time(
            "Failed transactions",
            "Transactions per second that the disk did not take.",
            "cps",
            Line(by("sum", (), per_second(names.METRIC_JOURNAL_FAILURES)), "failed"),
            limits={0.001: RED},
        ),
    ]


def _process() -> list[Panel]:
    return [
        level(
            "Memory",
            "Physical memory by process. Steady below 512 MB, at the peak below 1 GB.",
            "bytes",
            names.METRIC_PROCESS_MEMORY_USAGE,
            limits={512e6: YELLOW, 1e9: RED},
        ),
        level(
            "CPU",
            "Share of all CPUs, by process.",
            "percentunit",
            names.METRIC_PROCESS_CPU_UTILIZATION,
            limits={0.9: RED},
        ),
        level("Threads", "Threads, by process.", "short", names.METRIC_PROCESS_THREAD_COUNT),
    ]


def _pressure() -> list[Panel]:
    measure = names.PEA_PRESSURE_MEASURE
    return [
        over_time(
            "Steps taken against memory pressure",
            "0 when all is well. 1 to 3: caches give way; 4 to 6: histories too; 7 to 9: new tasks are refused.",
            "short",
            Line(number(names.METRIC_PRESSURE_STEPS), "{{instance}}"),
            limits={1: YELLOW, 7: RED},
            most=9,
            width=12,
        ),
        over_time(
            "What is left under memory pressure",
            "Share of their bounds that caches and histories may hold, and of the four priorities that are taken in.",
            "percentunit",
            Line(by("min", measure, number(names.METRIC_PRESSURE_SHARE)), "{{pea_pressure_measure}}"),
            most=1,
            width=12,
        ),
    ]


def _telemetry() -> list[Panel]:
    return [
        rate(
            "Spans by what became of them",
            "Per second: finished, dropped, exported, refused by a receiver.",
            SPANS,
            OUTCOME,
            unit="cps",
            stacked=False,
        ),
        over_time(
            "Cost of the drain",
            "Share of the event loop's time that goes into spans.",
            "percentunit",
            Line(HELD, "{{instance}}"),
            limits={0.05: YELLOW, 0.15: RED},
        ),
        over_time(
            "Longest slice of the drain",
            "How long one slice holds the event loop, p99. At most 5 ms are wanted.",
            "s",
            Line(quantile(0.99, DRAIN), "p99"),
            limits={0.005: RED},
        ),
        rate(
            "Traces kept and passed by",
            "What the trace keeper decided, per second.",
            names.METRIC_KEEPER_TRACES,
            names.PEA_KEEPER_DECISION,
            unit="cps",
        ),
        rate(
            "The span store's account",
            "Spans per second: stored, dropped for want of room, deleted by bounds, too late, from other programs.",
            names.METRIC_STORE_SPANS,
            names.PEA_STORE_OUTCOME,
            unit="cps",
            stacked=False,
        ),
        level("Size of the span store", "Bytes in the store's file.", "bytes", names.METRIC_STORE_USAGE),
        over_time(
            "Size of a scrape",
            "Samples that Prometheus reads from each process: label sets stay bounded.",
            "short",
            Line('scrape_samples_scraped{job=~"$job", instance=~"$instance"}', "{{instance}}"),
            limits={50_000: RED},
            width=12,
            height=6,
        ),
        over_time(
            "Duration of a scrape",
            "How long a scrape takes.",
            "s",
            Line('scrape_duration_seconds{job=~"$job", instance=~"$instance"}', "{{instance}}"),
            limits={1: RED},
            width=12,
            height=6,
        ),
    ]

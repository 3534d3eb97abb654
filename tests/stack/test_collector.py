"""PEA, the Collector and Jaeger with the shipped configuration, where a Collector is installed (Debian has none).

Jaeger's own program holds all the Collector's components that the configuration uses, so it can stand in for both.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import urllib.parse
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

from dashboards.queries import metric
from pea.config import KeeperSettings
from pea.telemetry import names
from tests.absent import NO_PACKAGE
from tests.ports import free_port
from tests.stack import programs
from tests.stack.counts import COUNTED
from tests.stack.programs import ROOT, Program, fetch, until
from tests.stack.test_doctor import doctor

NAMES = ("collector", "jaeger")
COLLECTOR = shutil.which("otelcol-contrib") or shutil.which("jaeger")
JAEGER = shutil.which("jaeger")
PORTS = (4317, 4318, 8887, 8888, 8889, 13133, 13134, 14317, 16685, 16686)
TASKS, FAILING = 60, 12


def config(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / f"otel/{name}.yaml").read_text())
    return found


@pytest.mark.parametrize("name", NAMES)
def test_what_a_pipeline_names_is_configured_and_nothing_else(name: str) -> None:
    """Each receiver, processor, exporter, connector and extension is defined once, and used."""
    made = config(name)
    pipelines = made["service"]["pipelines"].values()
    for kind in ("receivers", "processors", "exporters"):
        named = {one for pipeline in pipelines for one in pipeline.get(kind, ())}
        ends = set(made.get("connectors", ())) if kind != "processors" else set()
        assert set(made[kind]) <= named
        assert named <= set(made[kind]) | ends
    assert made["service"]["extensions"] == list(made["extensions"])


@pytest.mark.parametrize("name", NAMES)
def test_memory_is_limited_before_anything_is_taken_in(name: str) -> None:
    """Every pipeline that receives begins with the memory limiter; batches are made last."""
    for pipeline in config(name)["service"]["pipelines"].values():
        if "otlp" in pipeline["receivers"]:
            assert pipeline["processors"][0] == "memory_limiter"
        assert pipeline["processors"][-1] == "batch" or "forward" in pipeline["exporters"]


def test_spans_are_counted_before_they_are_sampled() -> None:
    """Rates and durations are those of every trace: nothing samples on the way to span_metrics."""
    pipelines = config("collector")["service"]["pipelines"]
    (counting,) = [one for one in pipelines.values() if "span_metrics" in one["exporters"]]
    assert counting["processors"] == ["memory_limiter"]


def test_sampling_keeps_what_the_keeper_keeps() -> None:
    """Errors, slow traces and a share of the rest, as `keeper.policy: tail`; and it waits longer than the keeper."""
    tail = config("collector")["processors"]["tail_sampling"]
    keeper = KeeperSettings()
    assert [one["type"] for one in tail["policies"]] == ["status_code", "latency", "probabilistic"]
    assert keeper.errors
    assert keeper.per_second
    assert keeper.slow_quantile
    assert int(tail["decision_wait"].removesuffix("s")) > float(keeper.linger)


def test_addresses_of_the_stack_fit_together() -> None:
    """The Collector sends where Jaeger listens; Prometheus scrapes where the Collector shows what it counted."""
    collector, jaeger = config("collector"), config("jaeger")
    sends = collector["exporters"]["otlp_grpc/jaeger"]["endpoint"]
    listens = jaeger["receivers"]["otlp"]["protocols"]["grpc"]["endpoint"]
    assert re.search(r":(\d+)\}?$", sends)[1] == re.search(r":(\d+)$", listens)[1]  # type: ignore[index]
    jobs = {
        one["job_name"]: one
        for one in yaml.safe_load((ROOT / "dashboards/prometheus.yml").read_text())["scrape_configs"]
    }
    shown = collector["exporters"]["prometheus"]["endpoint"].rpartition(":")[2]
    assert jobs["otel-collector"]["static_configs"][0]["targets"] == [f"127.0.0.1:{shown}"]
    assert jobs["otel-collector"]["honor_labels"]


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """PEA → Collector → Jaeger, and Prometheus that scrapes the Collector; the addresses by name."""
    if COLLECTOR is None or JAEGER is None or shutil.which("prometheus") is None:
        pytest.skip(NO_PACKAGE)
    folder = tmp_path_factory.mktemp("chain")
    port = {number: str(free_port()) for number in PORTS}
    at = {
        name: f"http://127.0.0.1:{port[number]}"
        for name, number in (("otlp", 4318), ("jaeger", 16686), ("health", 13133))
    }
    scrape = {
        "job_name": "otel-collector",
        "honor_labels": True,
        "static_configs": [{"targets": [f"127.0.0.1:{port[8889]}"]}],
    }
    (folder / "prometheus.yml").write_text(
        yaml.safe_dump({"global": {"scrape_interval": "1s"}, "scrape_configs": [scrape]})
    )
    place = f"127.0.0.1:{free_port()}"
    command = ["prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'tsdb'}"]
    started = [
        Program("prometheus", [*command, f"--web.listen-address={place}"], f"http://{place}", "/-/ready", folder)
    ]
    for name, program, health in (("jaeger", JAEGER, 13134), ("collector", COLLECTOR, 13133)):
        text = (ROOT / f"otel/{name}.yaml").read_text()
        text = re.sub(r"\b(\d{4,5})\b", lambda found: port.get(int(found[1]), found[1]), text)
        text = text.replace("http://127.0.0.1:9090", f"http://{place}").replace(
            "metrics_flush_interval: 10s", "metrics_flush_interval: 1s"
        )
        (folder / f"{name}.yaml").write_text(text)
        started.append(
            Program(
                name,
                [program, "--config", str(folder / f"{name}.yaml")],
                f"http://127.0.0.1:{port[health]}",
                "/status",
                folder,
            )
        )
    pea = programs.pea(folder, {}, OTEL_EXPORTER_OTLP_ENDPOINT=at["otlp"], OTEL_METRICS_EXPORTER="none")
    started.append(pea)
    try:
        for program in started:
            program.start()
        yield {**at, "pea": pea.url, "prometheus": f"http://{place}"}
    finally:
        for program in reversed(started):
            program.stop()


@pytest.mark.service
@pytest.mark.parametrize("name", NAMES)
def test_configuration_is_valid(name: str) -> None:
    """The Collector's own check takes it."""
    if COLLECTOR is None:
        pytest.skip(NO_PACKAGE)
    program = JAEGER if name == "jaeger" and JAEGER else COLLECTOR
    done = subprocess.run(
        [program, "validate", "--config", f"otel/{name}.yaml"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.service
def test_errors_arrive_whole_and_the_monitor_counts_all(chain: dict[str, str]) -> None:
    """All failed traces are in Jaeger, of the others some; Jaeger's Monitor counts every call, the sampled away too."""
    for number in range(TASKS):
        name, given = ("probe.fail", {}) if number >= TASKS - FAILING else ("probe.work", {"number": number})
        fetch(f"{chain['pea']}/v1/tasks", {"capability": name, "input": given}, Prefer="wait=10")

    def traces(operation: str) -> dict[str, int]:
        """Spans by trace, of the traces that have such an operation."""
        now = datetime.now(UTC)
        about = {"service_name": "pea", "operation_name": operation, "num_traces": "500"}
        about |= {"start_time_min": (now - timedelta(hours=1)).isoformat(), "start_time_max": now.isoformat()}
        asked = urllib.parse.urlencode({f"query.{key}": value for key, value in about.items()})
        found = fetch(f"{chain['jaeger']}/api/v3/traces?{asked}")["result"]["resourceSpans"]
        return Counter(span["traceId"] for one in found for scope in one["scopeSpans"] for span in scope["spans"])

    until("all failed traces are in Jaeger", lambda: len(traces("task probe.fail")) == FAILING)
    assert min(traces("task probe.fail").values()) >= 3
    kept = len(traces("task probe.work"))
    assert kept < TASKS - FAILING

    asked = urllib.parse.urlencode({"query": 'traces_span_metrics_calls_total{span_name=~"task probe.*"}'})

    def counted() -> int:
        found = fetch(f"{chain['prometheus']}/api/v1/query?{asked}")["data"]["result"]
        return sum(int(float(one["value"][1])) for one in found)

    until("the Collector has counted every task", lambda: counted() == TASKS)
    query = urllib.parse.urlencode(
        {
            "service": "pea",
            "spanKind": "server",
            "ratePer": "600000",
            "lookback": "600000",
            "step": "1000",
            "quantile": "0.95",
        }
    )
    for what in ("calls", "latencies", "errors"):
        until(
            f"Jaeger's Monitor shows {what}",
            lambda what=what: fetch(f"{chain['jaeger']}/api/metrics/{what}?{query}")["metrics"],
        )
    COUNTED["traces through the Collector to Jaeger"] = (
        f"errors {FAILING}/{FAILING}, others {kept}/{TASKS - FAILING} kept, {TASKS}/{TASKS} counted"
    )


@pytest.mark.service
def test_doctor_recognises_the_chain(chain: dict[str, str]) -> None:
    """The real Jaeger and Collector are told apart, and said to be well."""
    fetch(f"{chain['pea']}/v1/tasks", {"capability": "probe.fail", "input": {}}, Prefer="wait=10")

    def well() -> bool:
        code, found, _ = doctor(chain["pea"], chain["jaeger"], chain["health"])
        kinds = [found[chain[name]][1].split(" ")[0] for name in ("pea", "jaeger", "health")]
        return code == 0 and kinds == ["PEA", "Jaeger", "Collector"] and found["Jaeger traces"][0] == "ok"

    until("the doctor finds the chain whole", well)


@pytest.mark.service
def test_metrics_of_other_programs_have_the_dashboards_names(chain: dict[str, str]) -> None:
    """What an SDK exports by the GenAI conventions is, behind the Collector, what the dashboard asks for."""
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{chain['otlp']}/v1/metrics"), 60_000)
    provider = MeterProvider([reader], Resource.create({"service.name": "travel-bot"}))
    meter = provider.get_meter("some.framework")
    about = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}
    meter.create_histogram(names.METRIC_GEN_AI_CLIENT_OPERATION_DURATION, "s").record(0.7, about)
    tokens = meter.create_histogram(names.METRIC_GEN_AI_CLIENT_TOKEN_USAGE, "{token}")
    tokens.record(900, {**about, "gen_ai.token.type": "input"})
    provider.shutdown()
    for name in (names.METRIC_GEN_AI_CLIENT_OPERATION_DURATION, names.METRIC_GEN_AI_CLIENT_TOKEN_USAGE):
        wanted = f'{metric(name)}_bucket{{job="travel-bot", service_name="travel-bot", gen_ai_request_model="m"}}'
        asked = urllib.parse.urlencode({"query": wanted})
        until(wanted, lambda asked=asked: fetch(f"{chain['prometheus']}/api/v1/query?{asked}")["data"]["result"])

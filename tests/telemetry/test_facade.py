"""Telemetry as a whole: start, flush, close; with a loop, without one, and at the end of the process."""

import asyncio
import os
import subprocess
import sys
import textwrap
from types import SimpleNamespace

import pytest
from opentelemetry import trace

from pea.config import Settings, TelemetrySettings
from pea.telemetry import Telemetry, names


def _python(code, **environ):
    """Run code in a fresh interpreter; its output, or its error as a failure."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "PEA_"))}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
        check=False,
        capture_output=True,
        text=True,
        env={**clean, **environ},
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_started_on_a_loop_it_drains_by_itself(make_telemetry):
    """After start spans are folded and kept without a flush, and the loop is watched."""
    telemetry = make_telemetry(drain_interval=0.001)
    drained = asyncio.Event()
    telemetry.add_consumer(SimpleNamespace(consume=lambda _: drained.set(), settle=lambda: None))
    telemetry.start()
    telemetry.start()
    with telemetry.tracer.span(f"{names.SPAN_STEP} x"):
        pass
    async with asyncio.timeout(30):
        await drained.wait()
    assert telemetry.recent.list()
    assert telemetry.metrics.histograms(names.METRIC_LOOP_LAG)
    await telemetry.aclose()
    await telemetry.aclose()
    assert telemetry.metrics.histograms(names.METRIC_TELEMETRY_DRAIN_DURATION)


async def test_closing_gives_out_what_is_left(make_telemetry):
    """Spans that ended before aclose reach every consumer; later ones are dropped and counted."""
    taken = []

    class Store:
        def consume(self, batch):
            taken.extend(span.name for span in batch)

    telemetry = make_telemetry(drain_interval=3600.0)
    telemetry.start()
    telemetry.add_consumer(Store())
    for n in range(1000):
        with telemetry.tracer.span(str(n)):
            pass
    await telemetry.aclose()
    assert taken == [str(n) for n in range(1000)]
    with telemetry.tracer.span("late"):
        pass
    status = telemetry.status()
    assert (status.spans_finished, status.spans_dropped, status.spans_waiting) == (1000, 1, 0)
    telemetry.start()
    assert telemetry._task.done()


async def test_a_failing_consumer_is_in_the_status(make_telemetry):
    """A consumer's failures are visible by its name."""

    class Broken:
        def consume(self, batch):
            raise OSError("disk full")

    telemetry = make_telemetry()
    telemetry.add_consumer(Broken())
    with telemetry.tracer.span("x"):
        pass
    assert await telemetry.flush()
    assert telemetry.status().consumer_failures == {"Broken": 1}
    assert telemetry.status().traces_kept == 1


async def test_a_full_buffer_drops_visibly(make_telemetry):
    """Spans beyond the buffer are dropped, counted, and shown on /metrics."""
    telemetry = make_telemetry(buffer_spans=100)
    for _ in range(150):
        with telemetry.tracer.span("x"):
            pass
    await telemetry.flush()
    assert telemetry.status().spans_dropped == 50
    assert b'pea_telemetry_spans_total{pea_telemetry_outcome="dropped"} 50.0' in telemetry.exposition()[0]


async def test_the_api_can_flush_and_shut_down(make_telemetry):
    """provider.force_flush and shutdown, as any instrumentation may call them, reach the drain."""
    telemetry = make_telemetry()
    with telemetry.tracer.span("x"):
        pass
    assert telemetry.provider.force_flush()
    assert len(telemetry.recent) == 1
    with telemetry.tracer.span("y"):
        pass
    telemetry.provider.shutdown()
    assert len(telemetry.recent) == 2


async def test_spans_that_never_stop_ending_do_not_keep_it_open(make_telemetry):
    """Aclose ends by its timeout although a task goes on finishing spans in every turn of the loop."""
    telemetry = make_telemetry(flush_timeout=0.05)
    telemetry.start()

    async def busy():
        while True:
            for _ in range(200):
                with telemetry.tracer.span("x"):
                    pass
            await asyncio.sleep(0)

    task = asyncio.create_task(busy())
    async with asyncio.timeout(30):
        await telemetry.aclose()
    task.cancel()
    await asyncio.wait([task])


def test_without_a_loop_a_thread_drains():
    """Start outside a loop drains from a thread; shutdown flushes and ends it."""
    telemetry = Telemetry(Settings(telemetry=TelemetrySettings(drain_interval=3600.0)), {})
    telemetry.start()
    with telemetry.tracer.span("x"):
        pass
    telemetry.shutdown()
    telemetry.shutdown()
    assert len(telemetry.recent) == 1


def test_a_process_that_ends_without_closing_still_flushes():
    """What is in the buffer when the interpreter exits reaches the consumers, loop closed or not."""
    code = """
        import asyncio
        from pea.telemetry import Telemetry
        class Show:
            def consume(self, batch):
                print([span.name for span in batch])
        async def main():
            telemetry = Telemetry(environ={})
            telemetry.add_consumer(Show())
            telemetry.start()
            with telemetry.tracer.span("last words"):
                pass
            return telemetry
        kept = asyncio.run(main())
    """
    assert "last words" in _python(code)


def test_the_global_provider_is_installed_once():
    """The first one wins, as the API says; a second is told so."""
    code = """
        from opentelemetry import trace
        from pea.telemetry import Telemetry
        one, two = Telemetry(environ={}), Telemetry(environ={})
        print(one.install_global(), one.install_global(), two.install_global())
        with trace.get_tracer("library").start_as_current_span("theirs"):
            pass
        one.force_flush()
        print([t.name for t in one.recent.list()])
    """
    assert _python(code) == "True True False\n['theirs']\n"


def test_disabled_by_the_environment():
    """OTEL_SDK_DISABLED=true: nothing is recorded, everything still works."""
    code = """
        from pea.telemetry import Telemetry
        telemetry = Telemetry()
        with telemetry.tracer.span("x") as span:
            print(span.is_recording())
        telemetry.force_flush()
        print(telemetry.status().spans_finished, len(telemetry.recent), telemetry.status().exports)
        telemetry.shutdown()
    """
    out = _python(code, OTEL_SDK_DISABLED="true", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
    assert out == "False\n0 0 ()\n"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "mine 0.1.0 None"),
        ({"OTEL_SERVICE_NAME": "theirs"}, "theirs 0.1.0 None"),
        (
            {"OTEL_RESOURCE_ATTRIBUTES": "service.name=attr,service.version=9,deployment.environment.name=prod"},
            "attr 9 prod",
        ),
    ],
)
def test_the_resource_says_who_this_is(environ, expected):
    """The environment's service name and attributes go before the settings'."""
    code = """
        from pea.config import Settings, TelemetrySettings
        from pea.telemetry import Telemetry
        telemetry = Telemetry(Settings(telemetry=TelemetrySettings(service_name="mine")))
        found = telemetry.provider.resource.attributes
        print(found["service.name"], found["service.version"], found.get("deployment.environment.name"))
    """
    assert _python(code, **environ).strip() == expected


def test_heavy_libraries_are_not_imported_before_they_are_needed():
    """Starting and tracing needs no exporter, no grpc, no requests, no prometheus-client."""
    code = """
        import sys
        from pea.telemetry import Telemetry
        telemetry = Telemetry()
        with telemetry.tracer.span("x"):
            pass
        telemetry.force_flush()
        print(sorted({"grpc", "requests", "prometheus_client"} & set(sys.modules)))
        telemetry.shutdown()
    """
    assert _python(code) == "[]\n"


def test_console_spans(capsys):
    """OTEL_TRACES_EXPORTER=console prints spans on standard error."""
    telemetry = Telemetry(environ={"OTEL_TRACES_EXPORTER": "console"})
    with telemetry.tracer.span("shown") as span:
        span.leaf("its leaf", 1, 2)
    telemetry.shutdown()
    captured = capsys.readouterr()
    assert '"name": "shown"' in captured.err
    assert '"name": "its leaf"' in captured.err
    assert captured.out == ""
    assert trace.get_tracer_provider() is not telemetry.provider

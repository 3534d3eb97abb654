"""What agents use: folded from the spans below theirs, as rates over the last minutes."""

import os

import pytest

from pea import Agent, Context, Runtime, Settings, capability
from pea.service import dashboard_ledger
from pea.service.dashboard_ledger import AgentRates, Ledger, Used
from pea.telemetry.record import Inlet, Origin, SpanRecord

OWN = Origin("pea", scope="pea")


def span(number, parent=0, *, name="step x", kind=1, origin=OWN, **about):
    """A span of one trace; underscores in its attributes' names are dots."""
    attributes = {key.replace("__", "."): value for key, value in about.items()}
    return SpanRecord(
        trace_id=1, span_id=number, parent_id=parent, name=name, kind=kind, start_ns=0, end_ns=1,
        attributes=attributes, origin=origin,
    )  # fmt: skip


def job(number, parent, cpu_s=0.5, operations=3):
    return span(number, parent, name="worker f", pea__worker__cpu=cpu_s, pea__worker__file_operations=operations)


def test_a_use_goes_up_to_the_nearest_agent():
    """Through spans that are no agent's, past none that is; several uses add up."""
    ledger = Ledger()
    ledger.take([job(4, 3), job(5, 3), span(3, 2)])
    assert ledger.totals() == {}
    ledger.take([span(2, 1, gen_ai__agent__name="inner"), span(1, gen_ai__agent__name="outer")])
    assert ledger.totals() == {"inner": Used(1.0, 6, 0)}


def test_bytes_are_those_of_connectors_and_requests():
    """Of a connector's exchange what it tells, of an HTTP request both bodies; a server's answer is nobody's use."""
    ledger = Ledger()
    ledger.take(
        [
            span(2, 1, name="connector.call PUT", kind=3, pea__connector__bytes=100),
            span(3, 1, name="GET", kind=3, http__request__body__size=10, http__response__body__size=1),
            span(4, 1, name="GET", kind=2, http__response__body__size=9_999),
            span(1, gen_ai__agent__name="calendar"),
        ]
    )
    assert ledger.totals() == {"calendar": Used(0.0, 0, 111)}


@pytest.mark.parametrize("odd", [{"pea__worker__cpu": "1", "pea__worker__file_operations": None}, {}])
def test_what_is_no_number_is_nothing(odd):
    """And what other programs say of themselves is not believed."""
    ledger = Ledger()
    ledger.take([span(2, 1, name="worker f", **odd), span(1, gen_ai__agent__name="a")])
    ledger.take(
        [span(4, 3, name="worker f", origin=Origin("x"), pea__worker__cpu=9.0), span(3, gen_ai__agent__name="a")]
    )
    assert ledger.totals() == {}


def test_what_waits_is_bounded(monkeypatch):
    """Of too many uses whose span above never ends the oldest are let go; so are those at a root."""
    monkeypatch.setattr(dashboard_ledger, "WAITING", 10)
    ledger = Ledger()
    ledger.take([job(100 + n, n + 1) for n in range(50)])
    assert len(ledger._waiting) == 10
    ledger.take([job(1_000, 0)])
    assert len(ledger._waiting) == 10


class Clock:
    """A time that stands until it is moved."""

    now = 0.0

    def __call__(self):
        return self.now


def test_rates_are_over_the_looks_of_five_minutes():
    """Nothing is told before two looks; what was used before the window is not in the rate."""
    clock, ledger = Clock(), Ledger()
    rates = AgentRates(ledger, clock)
    ledger.take([job(2, 1, cpu_s=100.0, operations=1_000), span(1, gen_ai__agent__name="a")])
    rates.look()
    assert rates.rate("a") is None
    clock.now = 10.0
    ledger.take([job(4, 3, cpu_s=1.0, operations=20), span(3, gen_ai__agent__name="a")])
    rates.look()
    assert rates.rate("a") == Used(0.1, 2.0, 0.0)
    assert rates.rate("nobody") == Used()
    for _ in range(30):
        clock.now += 10
        rates.look()
    assert rates.rate("a") == Used()


def test_cpu_is_a_share_of_all_cpus_where_it_is_known():
    """The loop's part is added; without a share that is told there is no figure."""

    class Share:
        told = True

        def seconds(self):
            return {"a": clock.now / 2}

    clock = Clock()
    rates = AgentRates(Ledger(), clock)
    assert rates.cpu(Used(1.0)) is None
    rates.share = Share()
    rates.look()
    clock.now = 10.0
    rates.look()
    assert rates.cpu(rates.rate("a")) == pytest.approx(0.5 / os.cpu_count())
    assert rates.cpu(None) is None
    rates.share.told = False
    assert rates.cpu(Used(1.0)) is None


class Reader(Agent):
    """Reads a file in a job."""

    name = "reader"

    @capability("reader.read")
    async def read(self, ctx: Context, path: str, times: int) -> int:
        return await ctx.compute(_read, path, times)

    @capability("reader.fail")
    async def fail(self, ctx: Context) -> int:
        return await ctx.compute(_fail)


def _read(path, times):
    for _ in range(times):
        descriptor = os.open(path, os.O_RDONLY)
        os.read(descriptor, 10)
        os.close(descriptor)
    return sum(number * number for number in range(100_000))


def _fail():
    raise ValueError("no")


async def test_a_real_agents_jobs(tmp_path):
    """Reads and CPU time of a job in a thread are the calling agent's, of one that fails too."""
    (tmp_path / "file").write_text("x")
    ledger = Ledger()
    async with Runtime(Settings(), agents=[Reader()]) as runtime:
        runtime.telemetry.add_consumer(Inlet([ledger]))
        await runtime.call("reader.read", path=str(tmp_path / "file"), times=7)
        with pytest.raises(ValueError, match="no"):
            await runtime.call("reader.fail")
        await runtime.telemetry.flush()
    used = ledger.totals()["reader"]
    assert used.cpu_s > 0
    assert used.file_operations in {7, 0}  # none where the system does not count

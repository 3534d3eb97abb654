"""The chaos bench puts back what it takes away, and its fleet says what it should."""

from __future__ import annotations

import asyncio
import resource
import time
from pathlib import Path
from typing import Any, cast

import pytest

from pea import Runtime, Settings
from pea.bench.chaos_faults import FAULTS, Scene
from pea.bench.chaos_fleet import FAULTY, NAMES, Trouble, right, staff


@pytest.mark.parametrize("what", ["disk full", "clock jumps by hours"])
async def test_a_fault_ends(what: str, tmp_path: Path) -> None:
    """The process has its own clock and its own limits again, also when the bench fails in the middle."""
    (fault,) = [one for one in FAULTS if one.what == what]
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "journal.sqlite").write_bytes(b"x" * 100)
    scene = Scene(cast("Any", None), Trouble(), cast("Any", None), tmp_path)
    before = (time.time, time.time_ns, resource.getrlimit(resource.RLIMIT_FSIZE))

    async def fail() -> None:
        async with fault.strike(scene):
            assert before != (time.time, time.time_ns, resource.getrlimit(resource.RLIMIT_FSIZE))
            raise ValueError("in the middle")

    with pytest.raises(ValueError, match="in the middle"):
        await fail()
    assert before == (time.time, time.time_ns, resource.getrlimit(resource.RLIMIT_FSIZE))


async def test_two_of_fifteen_fail_and_the_others_do_not() -> None:
    """What is wrong with two agents is wrong with them only; a question to three is answered by the others."""
    trouble = Trouble()
    agents = staff(trouble)
    assert len(agents) == len(NAMES) == 15
    async with Runtime(Settings(), agents=agents) as runtime:
        trouble.fault = "crash"
        asked = {name: runtime.call(f"{name}.work", seed=5) for name in NAMES}
        answers = dict(zip(asked, await asyncio.gather(*asked.values(), return_exceptions=True), strict=True))
        assert {name for name, answer in answers.items() if answer != right(5)} == set(FAULTY)
        others = [FAULTY[0], "legal", "finance"]
        assert await runtime.call("orchestrator.brief", seed=5, others=others) == right(5)

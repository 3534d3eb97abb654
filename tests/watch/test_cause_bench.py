"""The benchmark of causes reads public faults, and the culprits come first."""

import json
from pathlib import Path

import numpy as np
import pytest

from pea.bench import cause as bench
from pea.errors import ConfigError
from tests.absent import DATA, NO_DATA


@pytest.fixture
def public() -> Path:
    if not (DATA / bench.SET).is_dir():
        pytest.skip(NO_DATA)
    return DATA


def test_the_culprit_of_public_faults_comes_first(public):
    """Top-1 and top-3 reach their targets, with one window before and with several, and cost little."""
    figures = bench.cause(public)
    assert len(figures) % 8 == 0
    assert all(figure.passed is not False for figure in figures if not figure.what.startswith("cost"))


def test_a_folder_without_sets_is_refused(tmp_path):
    """The error names the folder and says how to give another."""
    with pytest.raises(ConfigError, match="no set of faults") as caught:
        bench.cause(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_a_day_without_a_normal_window_borrows_another(tmp_path):
    """The case is ranked against what there is."""
    case = {"cases": [{"key": "c0", "day": "other", "root": "a"}], "svcs": ["a", "b"], "ops": ["x"]}
    path = write(tmp_path / "set.npz", meta=json.dumps(case))
    assert bench.files(path) == [path]
    assert bench.rank(bench.load(path), past=3).positions == (None,)


def write(path: Path, **changes: object) -> Path:
    arrays: dict[str, object] = {
        "meta": json.dumps({"cases": [{"key": "c0", "day": "d", "root": "a"}], "svcs": ["a", "b"], "ops": ["x"]})
    }
    for key in ("c0", "normal_d"):
        for name in ("trace", "par", "svc", "op", "start_us", "dur_us"):
            arrays[f"{key}_{name}"] = np.array([-1, 0] if name == "par" else [0, 0])
    np.savez(path, **{**arrays, **changes})
    return path


@pytest.mark.parametrize(
    "changes",
    [
        {"meta": "no json"},
        {"meta": "{}"},
        {"c0_par": np.array([-1, 7])},
        {"c0_svc": np.array([-1, 0])},
        {"c0_op": np.array([0, 3])},
        {"c0_dur_us": np.array([1.5, 2])},
        {"c0_dur_us": np.array([1])},
        {"c0_trace": np.array([{}, {}], object)},
    ],
)
def test_a_broken_set_is_refused_by_name(tmp_path, changes):
    """Wrong metadata, indices, types or lengths, and pickled objects: the file is named, nothing is run."""
    path = write(tmp_path / "broken.npz", **changes)
    with pytest.raises(ConfigError, match="not a set of faults") as caught:
        bench.cause(tmp_path)
    assert str(path) in str(caught.value)


def test_what_is_not_an_archive_is_refused_by_name(tmp_path):
    """Any other file under that ending."""
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(ConfigError, match="not a set of faults"):
        bench.cause(tmp_path)


def test_a_set_in_which_nothing_changed_names_nobody(tmp_path):
    """A culprit that is not named counts as missed."""
    ranks = bench.rank(bench.load(write(tmp_path / "same.npz")))
    assert ranks.positions == (None,)
    assert ranks.top(3) == 0

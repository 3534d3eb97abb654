"""A flame graph is drawn from stacks: widths are shares, names are safe, and a real run leaves both files."""

from collections import Counter
from xml.etree import ElementTree as ET  # our own writing

import pytest

from pea.bench.flame import WIDTH, profiled, svg, tree

NS = "{http://www.w3.org/2000/svg}"


def test_a_box_counts_itself_and_all_below():
    """The root has every sample; a function called from two places has a box at each."""
    root = tree(Counter({("a", "b"): 3, ("a",): 1, ("c", "b"): 2}))
    assert (root.count, root.below["a"].count, root.below["a"].below["b"].count) == (6, 4, 3)
    assert root.below["c"].below["b"].count == 2


def test_widths_are_shares_and_names_are_escaped():
    """A third of the samples is a third of the width; <module> does not break the document."""
    drawn = ET.fromstring(svg(Counter({("<module>", "x & y"): 1, ("other",): 2}), "a < b"))
    boxes = {
        group.find(f"{NS}title").text.partition(":")[0]: float(group.find(f"{NS}rect").get("width"))
        for group in drawn.iter(f"{NS}g")
    }
    assert boxes == {"all": WIDTH, "<module>": WIDTH / 3, "x & y": WIDTH / 3, "other": 2 * WIDTH / 3}


def test_nothing_seen_is_an_empty_graph():
    """Work too short for a sample still gives a document."""
    assert ET.fromstring(svg(Counter(), "nothing")).tag == f"{NS}svg"


def test_work_is_profiled_into_two_files(tmp_path):
    """The result is the work's; what raises leaves the flame graph of what came before, and raises."""
    assert profiled(lambda: sum(range(200_000)), tmp_path, "pea bench sums") == sum(range(200_000))
    assert ET.fromstring((tmp_path / "sums.svg").read_text()).tag == f"{NS}svg"
    assert "MB in" in (tmp_path / "sums.memory.txt").read_text()
    with pytest.raises(ZeroDivisionError):
        profiled(lambda: 1 // 0, tmp_path, "pea bench wrong")
    assert (tmp_path / "wrong.svg").exists()

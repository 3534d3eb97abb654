"""The registry is well formed, names.py and instruments.py are what it says, and no name is spelt anywhere else."""

import ast
import importlib
import importlib.util
import re
from pathlib import Path

import pytest

from pea.telemetry import names

ROOT = Path(__file__).parents[2]
_spec = importlib.util.spec_from_file_location("pea_otel_generate", ROOT / "otel" / "generate.py")
generate = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(generate)
GROUPS = generate.read(ROOT / "otel" / "registry")
OWN = {a["id"]: a for g in GROUPS if g["type"] == "attribute_group" for a in g["attributes"]}
UCUM = {
    "s",
    "By",
    "1",
    "{task}",
    "{span}",
    "{thread}",
    "{trace}",
    "{entry}",
    "{call}",
    "{token}",
    "{vote}",
    "{request}",
    "{step}",
}


def test_names_are_generated_from_the_registry():
    """Both files are exactly what generate.py writes."""
    for name, text in generate.render(GROUPS).items():
        assert text == (generate.TARGET / name).read_text(encoding="utf-8")
    assert generate.main(["--check"]) == 0


def test_check_reports_drift(tmp_path, monkeypatch, capsys):
    """--check fails and says what to do when a file differs, or is not there."""
    (tmp_path / "names.py").write_text("# old")
    monkeypatch.setattr(generate, "TARGET", tmp_path)
    assert generate.main(["--check"]) == 1
    assert "run python otel/generate.py" in capsys.readouterr().err
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0


def test_group_ids_are_unique():
    """No two groups share an id, no two attribute groups define one attribute."""
    ids = [g["id"] for g in GROUPS]
    defined = [a["id"] for g in GROUPS if g["type"] == "attribute_group" for a in g["attributes"]]
    assert len(ids) == len(set(ids))
    assert len(defined) == len(set(defined))


@pytest.mark.parametrize("group", GROUPS, ids=lambda g: g["id"])
def test_group_has_the_registry_format(group):
    """Each group has the fields its type needs, and each attribute a type, a brief, examples and a stability."""
    assert re.fullmatch(r"[a-z][a-z0-9_.]*", group["id"])
    assert group["brief"].endswith(".")
    if group["type"] == "attribute_group":
        for attribute in group["attributes"]:
            assert attribute["id"].startswith("pea.")
            assert attribute["brief"].endswith(".")
            assert attribute["stability"] in {"development", "stable"}
            if isinstance(attribute["type"], dict):
                assert all(m.keys() >= {"id", "value", "brief", "stability"} for m in attribute["type"]["members"])
            else:
                assert attribute["type"] in {"string", "int", "double", "boolean", "string[]"}
                assert attribute["type"] == "boolean" or attribute["examples"]
        return
    assert group["stability"] in {"development", "stable"}
    for attribute in group.get("attributes", ()):
        level = attribute["requirement_level"]
        assert level in ("required", "recommended", "opt_in") or list(level) == ["conditionally_required"]
    if group["type"] == "span":
        assert group["span_kind"] in {"internal", "server", "client"}
        assert group["annotations"]["span_name"]
    elif group["type"] == "event":
        assert group["id"] == f"event.{group['name']}"
    else:
        assert group["type"] == "metric"
        assert group["instrument"] in {"histogram", "counter", "updowncounter", "gauge"}
        assert group["unit"] in UCUM
        folded = group.get("annotations", {}).get("folded_from")
        assert folded is None or any(g["id"] == folded and g["type"] == "span" for g in GROUPS)


def test_every_reference_is_defined_here_or_by_opentelemetry():
    """A `ref` names an attribute of this registry or one that OpenTelemetry's conventions define."""
    for group in GROUPS:
        for ref in (a["ref"] for a in group.get("attributes", ()) if "ref" in a):
            assert ref in OWN or _conventions_define(ref), ref


def test_metric_labels_are_attributes_of_the_span_they_come_from():
    """A metric folded from a span has labels that this span carries."""
    spans = {g["id"]: {a["ref"] for a in g["attributes"]} for g in GROUPS if g["type"] == "span"}
    for group in GROUPS:
        source = group.get("annotations", {}).get("folded_from")
        if source:
            assert {a["ref"] for a in group.get("attributes", ())} <= spans[source]


@pytest.mark.parametrize("room", ["telemetry", "cache", "runtime", "service"])
def test_no_name_is_spelt_outside_the_registry(room):
    """No string that is a registered name, or begins with `pea.` as one does, stands in code that is not generated."""
    registered = {v for k, v in vars(names).items() if k.isupper() and isinstance(v, str) and "." in v}
    for path in (ROOT / "pea" / room).glob("**/*.py"):
        if path.name in {"names.py", "instruments.py"}:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert node.value not in registered, f"{path}:{node.lineno} spells {node.value!r}"
                prefix = node.value.partition(".")[0] == "pea" and node.value.partition(".")[2].split(".")[0]
                spaces = {name.split(".")[1] for name in registered if name.startswith("pea.")}
                assert not prefix or " " in node.value or prefix not in spaces - {"telemetry"}, (
                    f"{path}:{node.lineno} spells {node.value!r}"
                )


def _conventions_define(name: str) -> bool:
    space = name.split(".", maxsplit=1)[0]
    for stem in ("opentelemetry.semconv.attributes", "opentelemetry.semconv._incubating.attributes"):
        try:
            module = importlib.import_module(f"{stem}.{space}_attributes")
        except ModuleNotFoundError:
            continue
        if name in vars(module).values():
            return True
    return False

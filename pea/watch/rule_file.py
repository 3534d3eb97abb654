"""Rule files read and refused: each fault with file, line, what is wrong and the nearest word that would be right."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

from pea.errors import ConfigError, did_you_mean
from pea.watch.rule import Inhibit, Receiver, Rule, RuleFile, RuleSet, decode_unit
from pea.watch.rule_check import Fault, faults_of, faults_of_inhibit, faults_of_receiver

MAX_BYTES = 1 << 20
MAX_DEPTH = 40
MAX_NODES = 100_000
MAX_FAULTS = 50

P = TypeVar("P", Rule, Inhibit, Receiver)
_UNKNOWN = re.compile(r"Object contains unknown field `(.*?)`(?: - at `\$\.?(.*?)`)?$", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.*?)`(?: - at `\$\.?(.*?)`)?$", re.DOTALL)
_AT = re.compile(r"^(.*?)(?: - at `\$\.?(.*?)`)?$", re.DOTALL)
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_PARTS: dict[str, type[Rule | Inhibit | Receiver]] = {"rules": Rule, "inhibit": Inhibit, "receivers": Receiver}


class BadRules(ConfigError):
    """Rule files with mistakes; ``faults`` lists them all, each as an error of its own."""

    def __init__(self, faults: Sequence[ConfigError]) -> None:
        first = faults[0]
        more = f" and {len(faults) - 1} more" if len(faults) > 1 else ""
        super().__init__(first.what + more, where=first.where, fix=first.fix)
        self.faults = tuple(faults)


def load_rules(paths: Iterable[Path]) -> RuleSet:
    """The rules of these files together. Raises BadRules with every fault that was found."""
    sources = []
    faults: list[ConfigError] = []
    for path in paths:
        try:
            sources.append((str(path), _read(path)))
        except ConfigError as error:
            faults.append(error)
    return parse_rules(sources, faults)


def parse_rules(sources: Iterable[tuple[str, str]], faults: list[ConfigError] | None = None) -> RuleSet:
    """The rules of texts, each with the name of its file; see `load_rules`."""
    faults = [] if faults is None else faults
    files: list[_File] = []
    digest = hashlib.sha256()
    for name, text in sources:
        digest.update(f"{name}\0{text}\0".encode())
        try:
            files.append(_File(name, text))
        except ConfigError as error:
            faults.append(error)
    for file in files:
        faults.extend(file.faults)
    rules = {rule.name: rule for file in files for rule in file.rules}
    receivers = {receiver.name: receiver for file in files for receiver in file.receivers}
    faults.extend(_repeated(files))
    for file in files:
        faults.extend(file.check(rules, receivers))
    if faults:
        raise BadRules(faults[:MAX_FAULTS])
    return RuleSet(
        rules=tuple(rules.values()),
        inhibit=tuple(one for file in files for one in file.inhibit),
        receivers=tuple(receivers.values()),
        group_by=files[-1].group_by if files else ("rule",),
        digest=digest.hexdigest()[:16],
    )


class _File:
    """One file: its parts that could be read, and what is wrong with the others."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.faults: list[ConfigError] = []
        self.rules: list[Rule] = []
        self.inhibit: list[Inhibit] = []
        self.receivers: list[Receiver] = []
        self.group_by: tuple[str, ...] = ("rule",)
        self._places: dict[int, str] = {}  # where a part stands in the file, by its identity
        self._root, tree = _compose(name, text)
        self.faults.extend(_twice(self._root, name))
        self._read(tree)

    def check(self, rules: dict[str, Rule], receivers: dict[str, Receiver]) -> Iterator[ConfigError]:
        """What is wrong beyond types."""
        for rule in self.rules:
            yield from (self._fault(rule, fault) for fault in faults_of(rule, receivers))
        for inhibit in self.inhibit:
            yield from (self._fault(inhibit, fault) for fault in faults_of_inhibit(inhibit, rules))
        for receiver in self.receivers:
            yield from (self._fault(receiver, fault) for fault in faults_of_receiver(receiver))

    def where(self, part: Rule | Inhibit | Receiver, field: str = "name") -> str:
        """File and line of a part's field."""
        return self._line(f"{self._places[id(part)]}.{field}" if field else self._places[id(part)])

    def _fault(self, part: Rule | Inhibit | Receiver, fault: Fault) -> ConfigError:
        title = getattr(part, "name", "inhibit")
        field = fault.field.replace("for_", "for")
        what = f"{title}: {field}: {fault.what}" if field else f"{title}: {fault.what}"
        return ConfigError(what, where=self.where(part, field), fix=fault.fix)

    def _read(self, tree: Any) -> None:
        if not isinstance(tree, dict):
            raise ConfigError("a rule file is a mapping with version: and rules:", where=f"{self.name}:1")
        lists: dict[str, list[Any]] = {}
        for key in _PARTS:
            given = tree.get(key) or []
            if not isinstance(given, list):
                self.faults.append(ConfigError(f"{key}: a list is expected", where=self._line(key)))
                given = []
            lists[key] = given
        head = self._convert({**tree, **dict.fromkeys(set(_PARTS) & set(tree), ())}, RuleFile, "")
        if head is not None:
            self.group_by = head.group_by
        self.rules = self._parts(lists["rules"], Rule, "rules")
        self.inhibit = self._parts(lists["inhibit"], Inhibit, "inhibit")
        self.receivers = self._parts(lists["receivers"], Receiver, "receivers")

    def _parts(self, given: list[Any], kind: type[P], key: str) -> list[P]:
        found = []
        for number, one in enumerate(given):
            made = self._convert(one, kind, f"{key}[{number}]")
            if made is not None:
                self._places[id(made)] = f"{key}[{number}]"
                found.append(made)
        return found

    def _convert(self, given: Any, kind: type[Any], at: str) -> Any:
        try:
            return msgspec.convert(given, kind, dec_hook=decode_unit)
        except msgspec.ValidationError as error:
            self.faults.append(self._misfit(str(error), kind, at, given))
        except RecursionError:
            self.faults.append(ConfigError("is nested too deeply", where=self._line(at)))
        return None

    def _misfit(self, message: str, kind: type[Any], at: str, given: Any) -> ConfigError:
        """A validation error as a fault with its line."""
        title = given.get("name") if isinstance(given, dict) else None
        prefix = f"{title}: " if isinstance(title, str) and len(title) <= 80 else ""
        unknown, missing = _UNKNOWN.match(message), _MISSING.match(message)
        if unknown:
            inner = unknown[2] or ""
            field = f"{inner}.{unknown[1]}" if inner else unknown[1]
            fix = did_you_mean(unknown[1], _fields(kind, inner))
            return ConfigError(f"{prefix}there is no field {unknown[1]!r}", where=self._line(_join(at, field)), fix=fix)
        if missing:
            field = f"{missing[2]}.{missing[1]}" if missing[2] else missing[1]
            return ConfigError(f"{prefix}{field!r} is missing", where=self._line(_join(at, missing[2] or "")))
        found = _AT.match(message)
        what, field = (found[1], found[2] or "") if found else (message, "")
        fix = _words_of(kind, field, given) if what.startswith("Invalid enum value") else None
        what = what[:1].lower() + what[1:]
        return ConfigError(
            f"{prefix}{field}: {what}" if field else prefix + what, where=self._line(_join(at, field)), fix=fix
        )

    def _line(self, path: str) -> str:
        """File and line of a dotted path, or of as much of it as there is."""
        node, line = self._root, self._root.start_mark.line + 1 if self._root else 1
        for word, number in _STEP.findall(path):
            if number and isinstance(node, yaml.SequenceNode) and int(number) < len(node.value):
                node = node.value[int(number)]
                line = node.start_mark.line + 1
            elif word and isinstance(node, yaml.MappingNode):
                held = next(((k, v) for k, v in node.value if str(k.value) == word), None)
                if held is None:
                    break
                line, node = held[0].start_mark.line + 1, held[1]
            else:
                break
        return f"{self.name}:{line}"


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(path)) from error
    if len(data) > MAX_BYTES:
        raise ConfigError(f"is larger than {MAX_BYTES:,} bytes", where=str(path))
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError("is not UTF-8", where=f"{path}:{line}", fix="save it as UTF-8") from error


def _compose(name: str, text: str) -> tuple[Any, Any]:
    """The file's nodes, which know their lines, and its values."""
    if len(text) > MAX_BYTES:
        raise ConfigError(f"is larger than {MAX_BYTES:,} bytes", where=name)
    try:
        loader = yaml.SafeLoader(text)
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise ConfigError("is not YAML: has a character that is not text", where=f"{name}:{line}") from error
    try:
        root = loader.get_single_node()
        if root is not None:
            _bounded(root, name)
        return root, None if root is None else loader.construct_document(root)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{name}:{mark.line + 1}" if mark else f"{name}:1"
        raise ConfigError(f"is not YAML: {getattr(error, 'problem', None) or error}", where=where) from error
    except (RecursionError, ValueError, TypeError, OverflowError) as error:  # a date of month 13, a list as a key
        raise ConfigError(f"is not a rule file: {error}", where=f"{name}:1") from error
    finally:
        loader.dispose()


def _bounded(root: Any, name: str) -> None:
    """Refuse what is too deep or, through aliases, too much."""
    level, seen = [root], 0
    for _ in range(MAX_DEPTH):
        seen += len(level)
        if seen > MAX_NODES:
            raise ConfigError("says too much, through anchors perhaps", where=f"{name}:{level[0].start_mark.line + 1}")
        level = [child for node in level for child in _children(node)]
        if not level:
            return
    raise ConfigError("is nested too deeply", where=f"{name}:{level[0].start_mark.line + 1}")


def _children(node: Any) -> list[Any]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _twice(root: Any, name: str) -> Iterator[ConfigError]:
    """Keys that a mapping has twice: YAML would take the last one without a word."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, _ in node.value:
                if str(key.value) in seen:
                    yield ConfigError(f"{key.value!r} is said twice", where=f"{name}:{key.start_mark.line + 1}")
                seen.add(str(key.value))
        if node is not None:
            waiting.extend(_children(node))


def _repeated(files: Sequence[_File]) -> Iterator[ConfigError]:
    for key in ("rules", "receivers"):
        first: dict[str, str] = {}
        for file in files:
            for part in getattr(file, key):
                where = file.where(part)
                if part.name in first:
                    yield ConfigError(
                        f"{part.name!r} is already the name of the one at {first[part.name]}", where=where
                    )
                first.setdefault(part.name, where)


def _join(at: str, field: str) -> str:
    return f"{at}.{field}" if at and field else at or field


def _kind_at(kind: Any, path: str) -> Any:
    """The type of a field, given by a dotted path, as far as it is a struct's."""
    for word, _ in _STEP.findall(path):
        if not word or word == "...":
            continue
        found = next((f.type for f in msgspec.structs.fields(kind) if f.encode_name == word), None)
        structs = [one for one in _alternatives(found) if isinstance(one, type) and issubclass(one, msgspec.Struct)]
        if not structs:
            return found
        kind = structs[0]
    return kind


def _alternatives(kind: Any) -> list[Any]:
    inner = [part for one in getattr(kind, "__args__", ()) for part in _alternatives(one)]
    return [kind, *inner, *(_alternatives(kind.__origin__) if hasattr(kind, "__metadata__") else ())]


def _fields(kind: Any, path: str) -> tuple[str, ...]:
    found = _kind_at(kind, path)
    return found.__struct_encode_fields__ if isinstance(found, type) and issubclass(found, msgspec.Struct) else ()


def _words_of(kind: Any, path: str, given: Any) -> str | None:
    """The nearest word that a field may have."""
    words = [
        str(word)
        for one in _alternatives(_kind_at(kind, path))
        for word in getattr(one, "__args__", ())
        if isinstance(word, str | int)
    ]
    for word, _ in _STEP.findall(path):
        given = given.get(word) if isinstance(given, dict) else None
    return did_you_mean(str(given)[:100], words) if words else None

"""A capability as the runtime sees it: a bound method with checked input and output."""

from __future__ import annotations

import hashlib
import inspect
import re
import typing
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from pea.errors import InputError, OutputError, PeaError, did_you_mean
from pea.runtime.agent import Agent, Declared

_AT = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<where>.*?)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"^Object contains unknown field `(?P<field>.*)`$", re.DOTALL)


class Capability:
    """One capability of one agent: its method, the struct of its arguments and the type of its result."""

    __slots__ = (
        "_method",
        "agent",
        "cache_version",
        "declared",
        "description",
        "input_type",
        "keyword_only",
        "name",
        "output_type",
    )

    def __init__(self, agent: Agent, method: Callable[..., Awaitable[Any]], declared: Declared) -> None:
        self.agent = agent.name
        self.name = declared.name
        self.declared = declared
        self.description = inspect.getdoc(method) or ""
        self._method = method
        self.cache_version = agent.cache_version
        self.input_type, self.output_type, self.keyword_only = _signature(agent, method, declared.name)
        fields = dict.fromkeys(self.input_type.__struct_fields__, "")
        try:
            for tag in declared.tags:
                tag.format_map(fields)
        except (KeyError, ValueError, IndexError, AttributeError) as error:
            raise PeaError(f"a tag names what is no argument: {error}", where=declared.name) from error

    @property
    def summary(self) -> str:
        """The first line of the method's docstring."""
        return self.description.partition("\n")[0]

    def bind(self, arguments: Mapping[str, Any]) -> msgspec.Struct:
        """The arguments as the capability's input struct; InputError names the field that does not fit."""
        try:
            return msgspec.convert(arguments, self.input_type)
        except msgspec.ValidationError as error:
            raise _input_error(self.name, str(error), self.input_type) from None
        except (ValueError, OverflowError, RecursionError) as error:
            raise InputError(str(error), where=self.name) from error

    def invoke(self, ctx: Any, bound: msgspec.Struct) -> Awaitable[Any]:
        """Call the method with the bound arguments."""
        if self.keyword_only:
            return self._method(ctx, **{f: getattr(bound, f) for f in bound.__struct_fields__})
        return self._method(ctx, *msgspec.structs.astuple(bound))

    def cache_key(self, bound: msgspec.Struct, version: str) -> str:
        """What tells one input at one version from another: 128 bits of their digest, in hexadecimal."""
        data = msgspec.json.encode((version, bound), order="deterministic")
        return hashlib.blake2b(data, digest_size=16).hexdigest()

    def cache_tags(self, bound: msgspec.Struct) -> list[str]:
        """The declared tags with their arguments filled in."""
        tags = self.declared.tags
        return [tag.format_map(msgspec.structs.asdict(bound)) for tag in tags] if tags else []

    def check(self, result: Any) -> Any:
        """The result, checked against the declared type; OutputError when it does not fit."""
        try:
            return msgspec.convert(result, self.output_type)
        except msgspec.ValidationError as error:
            raise OutputError(f"returned what it does not declare: {error}", where=self.name) from None

    def schemas(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """JSON schemas of input and output, each complete in itself."""
        return msgspec.json.schema(self.input_type), msgspec.json.schema(self.output_type)


def capabilities(agent: Agent) -> list[Capability]:
    """What an agent offers; PeaError when a declaration cannot be used or two have one name."""
    found: dict[str, Capability] = {}
    for attribute in dir(type(agent)):
        declared = getattr(getattr(type(agent), attribute, None), "__pea_capability__", None)
        if not isinstance(declared, Declared):
            continue
        if declared.name in found:
            raise PeaError(f"declares {declared.name} twice", where=f"agent {agent.name}")
        found[declared.name] = _kind(declared)(agent, getattr(agent, attribute), declared)
    return list(found.values())


def _kind(declared: Declared) -> type[Capability]:
    """What makes the calls: the method itself, or what collects its stream or its batches."""
    if declared.streams:
        from pea.runtime.broadcast.streaming import Streaming

        return Streaming
    if declared.batch is not None:
        from pea.runtime.batching import Batched

        return Batched
    return Capability


def _signature(agent: Agent, method: Callable[..., Any], name: str) -> tuple[type[msgspec.Struct], Any, bool]:
    """The struct of a method's arguments after ``ctx``, the type it returns, and whether it wants keywords."""
    place = f"{type(agent).__module__}.{type(agent).__qualname__}: {name}"
    try:
        hints = typing.get_type_hints(method, include_extras=True)
    except NameError as error:
        raise PeaError(f"an annotation names what cannot be found: {error}", where=place) from error
    fields: list[Any] = []
    keyword_only = False
    parameters = list(inspect.signature(method).parameters.values())[1:]  # the first is the context
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise PeaError("takes *arguments; each argument needs a name and a type", where=place)
        if parameter.name not in hints:
            raise PeaError(f"argument {parameter.name!r} has no type", where=place)
        keyword_only |= parameter.kind is parameter.KEYWORD_ONLY
        kind = hints[parameter.name]
        default = parameter.default
        if default is parameter.empty:
            fields.append((parameter.name, kind))
        elif isinstance(default, list | dict | set):
            fields.append((parameter.name, kind, msgspec.field(default_factory=default.copy)))
        else:
            fields.append((parameter.name, kind, default))
    if "return" not in hints:
        raise PeaError("does not say what type it returns", where=place)
    title = "".join(part.title() for part in name.replace("_", ".").split(".")) + "Input"
    struct = msgspec.defstruct(title, fields, kw_only=True, frozen=True, forbid_unknown_fields=True)
    return struct, hints["return"], keyword_only


def _input_error(name: str, message: str, input_type: type[msgspec.Struct]) -> InputError:
    match = _AT.match(message)
    what, where = (match["what"], match["where"]) if match else (message, None)
    unknown = _UNKNOWN.match(what)
    if unknown:
        field = unknown["field"]
        fix = did_you_mean(field, input_type.__struct_encode_fields__) if not where else None
        return InputError(f"{name} takes no {field!r}", where=f"{where}.{field}" if where else field, fix=fix)
    if not where and "missing required field" in what:
        where = what.partition("`")[2].partition("`")[0] or None
        what = "is required"
    return InputError(what, where=where or name)

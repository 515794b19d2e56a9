"""A YAML loader with the scalar rules of YAML 1.2, which is how DVC reads params: 1e-5 is a number, `no` is text."""

import re
from typing import Any

import yaml
from yaml.constructor import ConstructorError

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_FLOAT = r"""^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?
    |[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+
    |[-+]?\.[0-9_]+(?:[eE][-+][0-9]+)?
    |[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"""
_INT = r"^(?:[-+]?0b[01_]+|[-+]?0o?[0-7_]+|[-+]?[0-9_]+|[-+]?0x[0-9a-fA-F_]+)$"
_TIMESTAMP = r"""^(?:[0-9]{4}-[0-9]{2}-[0-9]{2}
    |[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?
    (?:[ \t]*(?:Z|[-+][0-9]{1,2}(?::[0-9]{2})?))?)$"""
_MERGE = "tag:yaml.org,2002:merge"
_BASES = {"0b": 2, "0x": 16, "0o": 8}


class Yaml12Loader(_Base):  # type: ignore[misc]  # the base class depends on whether libyaml is there
    """Safe loader with YAML 1.2 scalars."""

    yaml_implicit_resolvers: dict[str, Any] = {}

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """The node as a plain value; what only looks like a number or a date is an error with its place."""
        try:
            return super().construct_object(node, deep)
        except (ValueError, KeyError, AttributeError) as error:
            kind = node.tag.rpartition(":")[2]
            raise ConstructorError(None, None, f"not a valid {kind}: {node.value!r:.60}", node.start_mark) from error

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """The mapping, in which no name stands twice, unless it takes over another with `<<`."""
        is_merged = any(key.tag == _MERGE for key, _ in node.value)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        if len(mapping) < len(node.value) and not is_merged:
            raise ConstructorError(None, None, "a name stands twice", node.start_mark)
        return mapping


def _integer(loader: Any, node: yaml.ScalarNode) -> int:
    text = loader.construct_scalar(node).replace("_", "")
    sign = -1 if text.startswith("-") else 1
    digits = text.lstrip("+-")
    base = _BASES.get(digits[:2], 10)
    return sign * int(digits if base == 10 else digits[2:], base)


def _floating(loader: Any, node: yaml.ScalarNode) -> float:
    text = loader.construct_scalar(node).replace("_", "").lower()
    sign = -1.0 if text.startswith("-") else 1.0
    digits = text.lstrip("+-")
    return sign * float(digits.removeprefix(".") if digits in {".inf", ".nan"} else digits)


def _resolver(tag: str, pattern: str, first: str) -> None:
    Yaml12Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern, re.X), list(first))


_resolver("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF")
_resolver("float", _FLOAT, "-+0123456789.")
_resolver("int", _INT, "-+0123456789")
_resolver("merge", r"^(?:<<)$", "<")
_resolver("timestamp", _TIMESTAMP, "0123456789")
_resolver("value", r"^=$", "=")  # it has no meaning for a safe loader: an error, as for ruamel
Yaml12Loader.add_constructor("tag:yaml.org,2002:value", Yaml12Loader.construct_undefined)
Yaml12Loader.add_implicit_resolver(
    "tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]
)
Yaml12Loader.add_constructor("tag:yaml.org,2002:int", _integer)
Yaml12Loader.add_constructor("tag:yaml.org,2002:float", _floating)


MAX_LEVELS = 200
"""How deeply a document may be nested: libyaml's composer is recursive and ends the process instead of raising."""
_OPENING = ("[", "{", "- -", "- ?", "? -", "? ?", "\t-", "\t?", "\n" + " " * (MAX_LEVELS // 2))
"""What a document that is nested deeply has many of."""


class TooDeepError(yaml.MarkedYAMLError):
    """A document that is nested too deeply for any parser."""


def load_yaml(text: str | bytes) -> Any:
    """The document as plain values; yaml.YAMLError if it does not parse, or is nested too deeply."""
    if _may_be_deep(text):
        _check_levels(text)
    return yaml.load(text, Yaml12Loader)  # noqa: S506 - a subclass of the safe loader


def _may_be_deep(text: str | bytes) -> bool:
    """Whether a look at brackets and indentation cannot rule out more levels than are allowed."""
    if isinstance(text, bytes):
        return sum(text.count(mark.encode()) for mark in _OPENING) >= MAX_LEVELS // 4
    return sum(text.count(mark) for mark in _OPENING) >= MAX_LEVELS // 4


def _check_levels(text: str | bytes) -> None:
    level = 0
    for event in yaml.parse(text, Yaml12Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            level += 1
            if level > MAX_LEVELS:
                raise TooDeepError(problem=f"nested more than {MAX_LEVELS} levels")
        elif isinstance(event, yaml.CollectionEndEvent):
            level -= 1

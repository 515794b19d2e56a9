"""The filter language: `lora status=done train.lora.r>=8 -has:test/chrf | name:owl`."""

import fnmatch
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tui.core.columns import short_title
from tui.core.experiments import Experiment
from tui.core.keys import MISSING, Key, all_keys
from tui.core.memo import Memo
from tui.core.methods import method_of

Predicate = Callable[[Experiment], bool]

HELP = (
    "word: in name, method or status",
    "key=value  key!=value  key>1e-4  key<=8: a param, a metric, or name, method, status, kind, stage, branch, rev",
    'key:text: contains    has:key: is there    -term: not    a b: both    a | b: either    "two words"',
)
"""The language in three lines."""

_TOKEN = re.compile(r'(?:[^\s|"]|"[^"]*"?)+|\|')
_COMPARISON = re.compile(r"(?P<key>.+?)(?P<sign>!=|>=|<=|=|>|<)(?P<value>.*)", re.DOTALL)
_CONTAINS = re.compile(r"(?P<key>.+?):(?P<value>.*)", re.DOTALL)
_NUMBER = re.compile(r"(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?P<factor>[kMGT]?)", re.ASCII)
_SHA = re.compile(r"[0-9a-f]{4,39}", re.IGNORECASE)
_FACTORS = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_MAX_CANDIDATES = 4
_BREAK = "\n"
"""Between two words; no name, branch or state has one."""

_FIELDS: dict[str, Callable[[Experiment], Any]] = {
    "name": lambda row: row.label,
    "method": method_of,
    "status": lambda row: row.status,
    "kind": lambda row: row.kind,
    "stage": lambda row: row.stage,
    "rev": lambda row: row.rev,
    "branch": lambda row: " ".join(row.refs) or None,
    "subject": lambda row: row.subject or None,
    "error": lambda row: row.error,
}


class _TermError(Exception):
    """A term that means nothing; the text says why."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter that can be applied as far as it was understood."""

    matches: Predicate
    """Terms that were not understood let every row through."""
    error: str = ""
    """What was not understood; empty if all was."""


def parse_filter(text: str, experiments: Iterable[Experiment] = (), keys: Sequence[Key] | None = None) -> Filter:
    """A filter from what was typed; keys are those of the experiments. Never raises, whatever the text."""
    if keys is None:
        rows = list(experiments) if re.search("[:=<>]", text) else []
        keys = [*all_keys(rows, "param"), *all_keys(rows, "metric")]
    errors: list[str] = []
    groups: list[list[Predicate]] = [[]]
    for token in _TOKEN.findall(text):
        if token == "|":  # noqa: S105 - the word for "or", not a secret
            groups.append([])
            continue
        try:
            groups[-1].append(_term(token, keys))
        except _TermError as error:
            errors.append(str(error))
    return Filter(_any_of([_all_of(group) for group in groups if group]), "; ".join(errors))


def _all_of(terms: Sequence[Predicate]) -> Predicate:
    return terms[0] if len(terms) == 1 else lambda row: all(matches(row) for matches in terms)


def _any_of(alternatives: Sequence[Predicate]) -> Predicate:
    if not alternatives:
        return lambda _row: True
    first = alternatives[0]
    return first if len(alternatives) == 1 else lambda row: any(matches(row) for matches in alternatives)


def _term(token: str, keys: Sequence[Key]) -> Predicate:
    if token.startswith("-") and len(token) > 1:
        positive = _term(token[1:], keys)
        return lambda row: not positive(row)
    if token[0] == '"':
        return _word(_unquote(token))
    comparison = _COMPARISON.fullmatch(token)
    if comparison is not None:
        key, value = _unquote(comparison["key"]), _unquote(comparison["value"])
        start_of_sha = "*" if key == "rev" and _SHA.fullmatch(value) else ""
        return _comparison(_getter(key, keys), comparison["sign"], value + start_of_sha)
    contains = _CONTAINS.fullmatch(token)
    if contains is None:
        return _word(_unquote(token))
    value = _unquote(contains["value"])
    if contains["key"] == "has":
        getter = _getter(value, keys)
        return lambda row: not _is_nothing(getter(row))
    return _contains(_getter(_unquote(contains["key"]), keys), value)


def _is_nothing(value: Any) -> bool:
    return value is MISSING or value is None


def _unquote(text: str) -> str:
    return text.replace('"', "")


def _word(text: str) -> Predicate:
    wanted = text.casefold()
    if not wanted:
        return lambda _row: True
    if _BREAK in wanted:
        return lambda _row: False
    return lambda row: wanted in _words(row) or row.rev.startswith(wanted)


def _folded_words(row: Experiment) -> str:
    places = (row.label, *row.refs, row.kind, row.status, method_of(row) or "")
    return _BREAK.join(places).casefold()


_words: Memo[str] = Memo(_folded_words)
"""What a word is looked for in: a filter is typed letter by letter, over ten thousand rows."""


def keep_words(experiments: Iterable[Experiment], gone: Iterable[Experiment] = ()) -> None:
    """Make the first letter of a filter over these as quick as the second, and forget others."""
    for experiment in gone:
        _words.forget(experiment)
    for experiment in experiments:
        _words(experiment)


def _getter(name: str, keys: Sequence[Key]) -> Callable[[Experiment], Any]:
    """What reads a field, or the param or metric with that name or with a name that ends in it."""
    if name in _FIELDS:
        return _FIELDS[name]
    exact = [key for key in keys if key.text == name] or [key for key in keys if short_title(key) == name]
    found = exact or [key for key in keys if _ends_in(key.text, name)]
    if not found:
        raise _TermError(f"no param or metric '{name}'")
    if len(found) > 1:
        shown = ", ".join(key.text for key in found[:_MAX_CANDIDATES])
        raise _TermError(f"'{name}' may be {shown}{' or others' if len(found) > _MAX_CANDIDATES else ''}")
    return found[0].value


def _ends_in(text: str, name: str) -> bool:
    return bool(name) and text.endswith(name) and text[-len(name) - 1 : -len(name)] in {".", "/", ":"}


def _contains(getter: Callable[[Experiment], Any], text: str) -> Predicate:
    wanted = text.casefold()

    def matches(row: Experiment) -> bool:
        value = getter(row)
        return not _is_nothing(value) and wanted in str(value).casefold()

    return matches


def _comparison(getter: Callable[[Experiment], Any], sign: str, text: str) -> Predicate:
    """A comparison; a row without the value never matches, also not `!=`."""
    if sign in {"=", "!="}:
        equals = _equals(text)

        def same_or_not(row: Experiment) -> bool:
            value = getter(row)
            return value is not MISSING and equals(value) == (sign == "=")

        return same_or_not
    bound = _number(text)
    if bound is None:
        raise _TermError(f"'{sign}' needs a number, not '{text}'")
    compare = _ORDER[sign]

    def ordered(row: Experiment) -> bool:
        value = getter(row)
        return isinstance(value, int | float) and not isinstance(value, bool) and compare(value, bound)

    return ordered


_ORDER: dict[str, Callable[[Any, float], bool]] = {
    ">": lambda value, bound: bool(value > bound),
    ">=": lambda value, bound: bool(value >= bound),
    "<": lambda value, bound: bool(value < bound),
    "<=": lambda value, bound: bool(value <= bound),
}


def _equals(text: str) -> Callable[[Any], bool]:
    number, wanted = _number(text), text.casefold()

    def equals(value: Any) -> bool:
        if value is None:
            return wanted in {"null", "none", ""}
        if isinstance(value, bool):
            return wanted == str(value).lower()
        if isinstance(value, int | float):
            return number is not None and value == number
        return fnmatch.fnmatchcase(str(value).casefold(), wanted) or str(value).casefold() == wanted

    return equals


def _number(text: str) -> float | None:
    match = _NUMBER.fullmatch(text)
    return float(match["number"]) * _FACTORS[match["factor"]] if match is not None else None

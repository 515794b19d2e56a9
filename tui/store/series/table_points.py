"""Decodes series in CSV and TSV tables, which other programs write in every way that there is."""

import csv
import io
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from pipeline.contract.series import EVENT, EVENT_COLUMNS, TIME
from tui.core.series import Event, Recording
from tui.store.series.points import TIME_COLUMNS, Columns, number, step_column

_MAX_HELD = 1 << 16
_PLAIN_CHARACTERS = {delimiter: dict.fromkeys(map(ord, f"0123456789.eE+-\n{delimiter}")) for delimiter in (",", "\t")}


class TableDecoder:
    """CSV or TSV; the columns of `y`, or all that are numbers. Without a header columns are called 0, 1, ...

    Steps are those of column `x`, or of one that is called so; where that is no number, rows are counted.
    """

    def __init__(
        self,
        stage: str,
        name: str | None = None,
        delimiter: str = ",",
        x: str | None = None,
        y: Sequence[str] = (),
        *,
        has_header: bool = True,
        counts_rows: bool = False,
    ) -> None:
        self._columns = Columns(stage, name)
        self._stage, self._delimiter, self._x, self._y = stage, delimiter, x, y
        self._has_header, self._counts_rows = has_header, counts_rows
        self._header: list[str] | None = None
        self._step_index: int | None = None
        self._wanted: list[tuple[int, str]] = []
        self._texts: dict[str, int] = {}
        self._num_rows = 0
        self._held = b""

    def feed(self, data: bytes) -> None:
        """Take complete lines; a quoted text that goes on in the next line is awaited."""
        data = self._held + data
        end = _end_of_rows(data) if len(data) < _MAX_HELD else len(data)
        self._held = data[end:]
        self._take(data[:end].decode(errors="replace").replace("\0", ""))

    def finish(self) -> None:
        """Take what was awaited as it is."""
        data, self._held = self._held, b""
        self._take(data.decode(errors="replace").replace("\0", ""))

    def result(self) -> Recording:
        """A copy of all so far."""
        return self._columns.result()

    def _take(self, text: str) -> None:
        if self._header is None:
            text = self._take_header(text.removeprefix("\ufeff"))
        if self._header is None or not self._take_plain(text):
            self._take_rows(text)

    def _take_header(self, text: str) -> str:
        """The rest, if the first line is a whole row: what follows may be plain."""
        first, _, rest = text.lstrip("\r\n").partition("\n")
        first = first.removesuffix("\r")
        if not self._has_header or not first or "\r" in first or first.count('"') % 2:
            return text
        row = next(_rows(first, self._delimiter), None)
        if row is None:
            return text
        self._begin(row)
        return rest

    def _take_rows(self, text: str) -> None:
        """A row of another width than the header is skipped."""
        for row in _rows(text, self._delimiter):
            if self._header is None:
                self._begin(row if self._has_header else [str(index) for index in range(len(row))])
                if self._has_header:
                    continue
            if self._header is not None and len(row) == len(self._header):
                self._add_row(row)

    def _take_plain(self, text: str) -> bool:
        """Whole columns at once, where all cells are numbers or empty, and rows are alike; whether that was so."""
        if not text or self._texts or self._header is None:
            return not text
        numbers = _plain_numbers(text, self._delimiter, len(self._header))
        if numbers is None:
            return False
        rows = np.arange(self._num_rows, self._num_rows + len(numbers), dtype=np.float64)
        steps = rows if self._step_index is None else numbers[:, self._step_index]
        if np.isnan(steps).any():
            return False
        for index, name in self._wanted:
            values = numbers[:, index]
            known = ~np.isnan(values)
            self._columns.extend(name, steps[known], values[known])
        self._num_rows += len(numbers)
        return True

    def _begin(self, header: Sequence[str]) -> None:
        self._header = names = [name.strip() for name in header]
        steps = None if self._counts_rows else step_column(names, self._x)
        self._step_index = None if steps is None else names.index(steps)
        chosen = [name for name in self._y if name in names] or _metrics([n for n in names if n and n != steps])
        if set(EVENT_COLUMNS) <= set(names):
            self._texts = {name: names.index(name) for name in (*EVENT_COLUMNS, TIME) if name in names}
        not_values = {self._step_index, *self._texts.values()}
        first = {name: index for index, name in reversed(list(enumerate(names)))}
        self._wanted = [
            (i, name) for i, name in enumerate(names) if name in chosen and i not in not_values and first[name] == i
        ]
        self._columns.expect(name for _, name in self._wanted)

    def _count_rows_unless_numbered(self, row: Sequence[str]) -> None:
        """Steps that are dates or names are no numbers to draw a curve over."""
        if self._step_index is not None and number(row[self._step_index]) is None:
            self._step_index = None

    def _add_row(self, row: list[str]) -> None:
        if self._num_rows == 0:
            self._count_rows_unless_numbered(row)
        step = float(self._num_rows) if self._step_index is None else number(row[self._step_index])
        self._num_rows += 1
        if step is None or not math.isfinite(step):
            return
        if self._texts and row[self._texts[EVENT]]:
            self._add_event(step, row)
            return
        for index, name in self._wanted:
            value = number(row[index])
            if value is not None:
                self._columns.add(name, step, value)

    def _add_event(self, step: float, row: list[str]) -> None:
        texts = [row[self._texts[name]] for name in EVENT_COLUMNS]
        time_s = number(row[self._texts[TIME]]) if TIME in self._texts else None
        at = time_s if time_s is not None and math.isfinite(time_s) else 0.0
        self._columns.add_event(Event(self._stage, int(step), at, *texts))


def _metrics(names: Sequence[str]) -> Sequence[str]:
    """Columns that are no times; the last one if all are: dvclive's file of a metric that is called `time`."""
    return [name for name in names if name not in TIME_COLUMNS] or names[-1:]


def _end_of_rows(data: bytes) -> int:
    """Where the last row begins if a quote in it is still open, else the end."""
    end = len(data)
    if data.count(b'"') % 2 == 0:
        return end
    num_quotes, start = 0, end
    while start > 0 and num_quotes % 2 == 0:
        end, start = start, data.rfind(b"\n", 0, start - 1) + 1
        num_quotes += data.count(b'"', start, end)
    return start


def _plain_numbers(text: str, delimiter: str, width: int) -> "NDArray[np.float64] | None":
    """Rows of numbers, NaN for empty cells; None for text that is anything else. A reader of JSON is fastest."""
    text = text.replace("\r\n", "\n").strip("\n")
    if width < 2 or not text or text.translate(_PLAIN_CHARACTERS[delimiter]):
        return None
    if any(line.count(delimiter) != width - 1 for line in text.split("\n")):
        return None
    cells = text.replace("\n", delimiter)
    if delimiter * 2 in cells or cells[0] == delimiter or cells[-1] == delimiter:
        empty = f"{delimiter}null{delimiter}"
        cells = f"{delimiter}{cells}{delimiter}".replace(delimiter * 2, empty).replace(delimiter * 2, empty)[1:-1]
    try:
        numbers = orjson.loads(f"[{cells.replace(delimiter, ',')}]")
    except orjson.JSONDecodeError:
        return None  # +1, .5, 007, 1e999
    return np.array(numbers, dtype=np.float64).reshape(-1, width)


def _rows(text: str, delimiter: str) -> Iterator[list[str]]:
    """Rows that are not empty; one that cannot be read is skipped."""
    reader: Any = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:
            continue
        if row:
            yield row

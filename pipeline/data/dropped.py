"""The account of rows that are left out: how many for which reason, and the first of each."""

from collections import Counter

from pipeline.contract.problems import StageError
from pipeline.data.rows import DroppedRow

DUPLICATE = "duplicate"
TOO_LONG = "too_long"
TIE = "tie"
_WELL_FORMED = (DUPLICATE, TOO_LONG, TIE)
_NUM_EXAMPLES = 5


class DroppedRows:
    """Counts by reason; keeps the first rows of each."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.examples: dict[str, list[DroppedRow]] = {}

    def add(self, row: DroppedRow) -> None:
        """Account for one row."""
        self.counts[row.reason] += 1
        examples = self.examples.setdefault(row.reason, [])
        if len(examples) < _NUM_EXAMPLES:
            examples.append(row)

    @property
    def num_bad(self) -> int:
        """Malformed rows: duplicates, ties and rows that are too long are well formed."""
        return sum(count for reason, count in self.counts.items() if reason not in _WELL_FORMED)

    def bad_lines(self) -> list[str]:
        """One line for each kept example of a malformed row, and one for those that are not shown."""
        lines = []
        for reason, examples in self.examples.items():
            if reason in _WELL_FORMED:
                continue
            lines += [str(row) for row in examples]
            hidden = self.counts[reason] - len(examples)
            if hidden:
                lines.append(f"... and {hidden} more rows with {reason}")
        return lines

    def check_bad(self, num_rows: int, max_bad_fraction: float, what: str = "rows") -> None:
        """Stop when more of the rows read are malformed than the params allow."""
        if num_rows == 0 or self.num_bad / num_rows <= max_bad_fraction:
            return
        share = f"{self.num_bad} of {num_rows} {what} ({self.num_bad / num_rows:.1%})"
        raise StageError(
            f"{share} are malformed, more than prepare.max_bad_fraction ({max_bad_fraction}) allows; "
            "repair the data or raise it:\n" + "\n".join(self.bad_lines())
        )

    def as_report(self) -> dict[str, dict[str, object]]:
        """Counts and examples by reason, the most frequent first."""
        order = sorted(self.counts, key=lambda reason: (-self.counts[reason], reason))
        return {reason: {"count": self.counts[reason], "examples": self._examples(reason)} for reason in order}

    def _examples(self, reason: str) -> list[dict[str, object]]:
        return [{"file": row.file, "line": row.line, "detail": row.detail} for row in self.examples[reason]]

"""Tables that SQL sees; docs/sql.md describes the same columns, and a test compares the two."""

from tui.core.queries import SqlColumn


def _columns(*rows: tuple[str, str, str]) -> tuple[SqlColumn, ...]:
    return tuple(SqlColumn(*row) for row in rows)


_WHICH = (
    ("rev", "VARCHAR", "full SHA, or `workspace`"),
    ("name", "VARCHAR", "name of the experiment; else a branch or tag, or the short SHA"),
)
_CURVE = (
    "stage",
    "VARCHAR",
    "stage, or the path of a plot's file, without suffix where no other has it, or dvclive's folder",
)
_SCORES = (
    ("prediction", "VARCHAR", "answer"),
    ("loss", "DOUBLE", "mean negative log-likelihood of the reference, per token"),
    ("token_accuracy", "DOUBLE", "share of the reference's tokens predicted first"),
    ("exact_match", "BOOLEAN", "whether the answer equals the reference after normalisation"),
    ("chrf", "DOUBLE", "character n-gram F-score, 0 to 100"),
    ("rouge_l", "DOUBLE", "longest common subsequence F-score, 0 to 1"),
    ("completion_tokens", "BIGINT", "length of the answer"),
    ("truncated", "BOOLEAN", "whether the answer was cut at the length limit"),
)

SCHEMA: dict[str, tuple[SqlColumn, ...]] = {
    "experiments": _columns(
        *_WHICH,
        ("kind", "VARCHAR", "`workspace`, `commit` or `experiment`"),
        ("baseline", "VARCHAR", "SHA of the commit that it was started from"),
        ("refs", "VARCHAR", "branches and tags that point at it, with commas"),
        ("timestamp", "TIMESTAMP", "when it was committed, or started; UTC"),
        ("subject", "VARCHAR", "first line of the commit message"),
        ("status", "VARCHAR", "`done`, `running`, `queued`, `failed`, `cancelled`, `lost` or `not run`"),
        (
            "method",
            "VARCHAR",
            "`base`, `full`, `prompt tuning`, `lora + dpo`, ...; null in projects of another make",
        ),
        ("stage", "VARCHAR", "stage that is running"),
        ("fraction", "DOUBLE", "share of that stage that is done, 0 to 1"),
        ("missing", "BIGINT", "number of declared files that are not available locally"),
        ("error", "VARCHAR", "why the row is incomplete, or why the run failed"),
        ("run_id", "VARCHAR", "run that made or makes it"),
    ),
    "params": _columns(
        *_WHICH,
        ("key", "VARCHAR", "dotted key; `file:key` where two files share it"),
        ("value", "VARCHAR", "value as text; lists as JSON"),
        ("number", "DOUBLE", "value, if it is a number"),
        (
            "is_used",
            "BOOLEAN",
            "false where the method makes nothing of it, as of `train.lora.r` where all weights are trained; "
            "else true, always so in projects of another make",
        ),
    ),
    "metrics": _columns(
        *_WHICH,
        ("key", "VARCHAR", "name, such as `test/exact_match`; `file:key` where two files share it"),
        ("value", "DOUBLE", "value, if it is a number"),
        ("text", "VARCHAR", "value, if it is text, true or false"),
        ("direction", "VARCHAR", "`higher` or `lower` is better, or `none`"),
        ("is_resource", "BOOLEAN", "whether it tells what a run cost: time, memory, throughput, energy"),
    ),
    "hashes": _columns(
        *_WHICH,
        ("kind", "VARCHAR", "`dep` or `out`"),
        ("path", "VARCHAR", "file or folder"),
        ("hash", "VARCHAR", "what DVC knows it by, with `.dir` at the end for a folder; null if it knows none"),
        ("is_made", "BOOLEAN", "whether a stage writes it; false of code, and of what .dvc files track"),
    ),
    "series": _columns(
        *_WHICH,
        _CURVE,
        ("metric", "VARCHAR", "name, such as `train/loss`"),
        ("step", "DOUBLE", "step"),
        ("value", "DOUBLE", "value; null where it was not finite"),
    ),
    "series_summary": _columns(
        *_WHICH,
        _CURVE,
        ("metric", "VARCHAR", "name, such as `train/loss`"),
        ("num_points", "BIGINT", "points with a finite value"),
        ("first", "DOUBLE", "value at the first step"),
        ("last", "DOUBLE", "value at the last step"),
        ("last_step", "DOUBLE", "last step with a finite value"),
        ("lowest", "DOUBLE", "lowest value"),
        ("lowest_step", "DOUBLE", "first step with the lowest value"),
        ("highest", "DOUBLE", "highest value"),
        ("highest_step", "DOUBLE", "first step with the highest value"),
    ),
    "events": _columns(
        *_WHICH,
        ("stage", "VARCHAR", "stage"),
        ("step", "BIGINT", "step at which it was seen"),
        ("time_s", "DOUBLE", "seconds since the stage started"),
        ("event", "VARCHAR", "what: `spike`, `overfitting`, `early_stopping`, `kl`, ..."),
        ("action", "VARCHAR", "`warn`, `stop` or `note`"),
        ("message", "VARCHAR", "in words, with the figures"),
    ),
    "samples": _columns(
        *_WHICH,
        ("stage", "VARCHAR", "stage that trained the model"),
        ("step", "BIGINT", "step after which it answered"),
        ("prompt", "VARCHAR", "prompt"),
        ("reference", "VARCHAR", "right answer"),
        ("prediction", "VARCHAR", "answer"),
    ),
    "predictions": _columns(
        *_WHICH,
        ("id", "VARCHAR", "identity of the example"),
        ("category", "VARCHAR", "category of the example"),
        ("prompt", "VARCHAR", "prompt"),
        ("reference", "VARCHAR", "right answer"),
        *_SCORES,
        *((f"base_{name}", kind, f"the same of the base model: {text}") for name, kind, text in _SCORES),
    ),
    "runs": _columns(
        ("id", "VARCHAR", "identity of the run"),
        ("name", "VARCHAR", "name of the experiment"),
        ("status", "VARCHAR", "as in `experiments`"),
        ("baseline", "VARCHAR", "SHA of the commit that it was started from"),
        ("snapshot", "VARCHAR", "SHA of the commit with what was launched"),
        ("rev", "VARCHAR", "SHA of the experiment, once there is one"),
        ("started_at", "TIMESTAMP", "UTC"),
        ("ended_at", "TIMESTAMP", "UTC; null while it goes on"),
        ("error", "VARCHAR", "why it failed"),
        ("command", "VARCHAR", "command line that was run"),
    ),
    "commits": _columns(
        ("rev", "VARCHAR", "full SHA"),
        ("refs", "VARCHAR", "branches and tags that point at it, with commas"),
        ("timestamp", "TIMESTAMP", "when it was committed; UTC"),
        ("subject", "VARCHAR", "first line of the commit message"),
    ),
}
"""Table -> columns, in order."""

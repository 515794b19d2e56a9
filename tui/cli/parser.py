"""The grammar of the command line."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from tui.core.errors import UsageError


class Parser(argparse.ArgumentParser):
    """Reports wrong use as a UsageError, so that it looks like every other error."""

    fill: "Callable[[Parser], None] | None" = None
    """Adds its options, once it is used: those of all commands take longer to make than a project to read."""

    def _complete(self) -> None:
        fill, self.fill = self.fill, None
        if fill is not None:
            fill(self)

    mixes = False
    """Whether options may stand between the words, as in `bisect start --good A --bad B CONDITION`."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As always, and with words and options in any order where that was asked for."""
        self._complete()
        if not self.mixes:
            return super().parse_known_args(args, namespace)
        self.mixes = False  # the method that mixes calls this one for its parts
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self.mixes = True

    explains_filters = False
    """Whether its help ends with the language of filters, which is loaded only then."""

    def format_help(self) -> str:
        """As always, and with the language of filters where that was asked for."""
        self._complete()
        if self.explains_filters:
            from tui.core.filters import HELP

            self.epilog = "\n  ".join(("filters:", *HELP))
            self.formatter_class = argparse.RawDescriptionHelpFormatter
        return super().format_help()

    def error(self, message: str) -> NoReturn:
        if message.startswith("unrecognized arguments: -C"):
            raise UsageError("-C goes before the command", hint=f"{self.prog} -C DIR COMMAND")
        raise UsageError(message, hint=f"see: {self.prog} --help")


class _Version(argparse.Action):
    """Prints the version; looking it up takes longer than most commands."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib import metadata

        parser.exit(message=f"finetui {metadata.version('finetui')}\n")


def build_parser() -> Parser:
    """All commands and their options."""
    parser = Parser(prog="finetui", description="A terminal workbench for adapting language models.")
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    parser.add_argument("-C", dest="directory", type=Path, default=Path(), metavar="DIR", help="open another project")
    parser.add_argument("--read-only", action="store_true", help="launch, stop and remove nothing")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    for name, (fill, does) in _COMMANDS.items():
        commands.add_parser(name, help=does).fill = fill
    return parser


def _init(parser: Parser) -> None:
    parser.add_argument("target", type=Path, metavar="DIR", help="folder of the project")
    parser.add_argument("--into-existing", action="store_true", help="complete a folder that is not empty")
    _add_formats(parser, tables=False)


def _experiments(parser: Parser) -> None:
    parser.explains_filters = True
    parser.add_argument("--filter", default="", metavar="EXPR", help="such as 'method=lora test/exact_match>0.7'")
    parser.add_argument("--sort", default="", metavar="KEY", help="column to sort by, the best first")
    parser.add_argument("--reverse", action="store_true", help="turn the order round")
    parser.add_argument("--all-columns", action="store_true", help="also columns that are the same everywhere")
    parser.add_argument(
        "--group-seeds", action="store_true", help="one row for experiments that differ only in their seed"
    )
    _add_formats(parser)


def _show(parser: Parser) -> None:
    parser.add_argument("rev", help="name, branch, tag, SHA or workspace")
    _add_formats(parser, tables=False)


def _query(parser: Parser) -> None:
    parser.add_argument("sql", nargs="?", metavar="SQL", help="one statement; - reads it from standard input")
    parser.add_argument("-f", "--file", metavar="FILE", help="read the statement from a file, or - for standard input")
    parser.add_argument("--saved", metavar="NAME", help="run a saved query")
    parser.add_argument("--list", action="store_true", help="list the saved queries and what they are given")
    parser.add_argument(
        "-p", action="append", default=[], dest="values", metavar="NAME=VALUE", help="what $NAME stands for"
    )
    parser.add_argument("--limit", type=int, default=10_000, metavar="N", help="print at most N rows (10000)")
    parser.add_argument("--timeout", type=float, default=30.0, metavar="SECONDS", help="give up after (30)")
    _add_formats(parser)


def _adapters(parser: Parser) -> None:
    parser.usage = "finetui adapters [REV ...] | finetui adapters export REV DIR"
    parser.add_argument("revs", nargs="*", metavar="REV", help="of these experiments; of all by default")
    parser.add_argument("--stage", metavar="STAGE", help="only the adapter that this stage trained")
    _add_formats(parser)


def _compare(parser: Parser) -> None:
    parser.add_argument("revs", nargs="*", metavar="REV", help="experiments; the first is the baseline")
    parser.add_argument("--baseline", metavar="REV", help="compare with this one, shown as well; the first by default")
    parser.add_argument("--all", action="store_true", help="also what is equal")
    parser.add_argument("--examples", metavar="SCORE", help="list the examples that were fixed or broke in this score")
    parser.add_argument(
        "--group-seeds", action="store_true", help="mean and spread of experiments that differ only in their seed"
    )
    _add_formats(parser)


def _diff(parser: Parser) -> None:
    parser.add_argument("old", metavar="A")
    parser.add_argument("new", metavar="B")
    forms = parser.add_mutually_exclusive_group()
    forms.add_argument("--json", action="store_const", const="json", dest="form", default="text", help="print json")
    forms.add_argument("--md", action="store_const", const="md", dest="form", help="print md")


def _run(parser: Parser) -> None:
    parser.add_argument(
        "-S", "--set", action="append", default=[], dest="sets", metavar="KEY=VALUE", help="override a param"
    )
    parser.add_argument("--name", help="name of the experiment; made up by default")
    parser.add_argument(
        "--target", action="append", default=[], dest="targets", metavar="STAGE", help="only up to this stage"
    )
    parser.add_argument("--force", action="store_true", help="run stages that are up to date as well")
    parser.add_argument("--rev", metavar="REV", help="run this commit instead of the workspace")
    parser.add_argument("--plan", action="store_true", help="only say what would run and why")
    parser.add_argument("--detach", action="store_true", help="return at once; the run goes on")
    _add_formats(parser, tables=False)


def _stop(parser: Parser) -> None:
    parser.add_argument("run", metavar="RUN", help="name of the experiment or id of the run")
    _add_formats(parser, tables=False)


def _logs(parser: Parser) -> None:
    parser.add_argument("run", metavar="RUN", help="name of the experiment or id of the run")
    parser.add_argument("-f", "--follow", action="store_true", help="go on until the run ends")
    _add_formats(parser, tables=False)


def _log(parser: Parser) -> None:
    parser.add_argument("metric", metavar="METRIC", help="name, or file:name; a param works, too")
    parser.add_argument("rev", nargs="?", default="HEAD", metavar="REV", help="start here (HEAD)")
    parser.add_argument("-n", type=int, default=30, dest="num", metavar="N", help="print at most N commits (30)")
    parser.add_argument("--changes", action="store_true", help="only commits where it changed")
    parser.add_argument("--experiments", action="store_true", help="also the experiments of each commit")
    _add_formats(parser)


def _blame(parser: Parser) -> None:
    parser.add_argument("metric", metavar="METRIC", help="name, or file:name; a param works, too")
    parser.add_argument("rev", nargs="?", default="HEAD", metavar="REV", help="look back from here (HEAD)")
    parser.add_argument("--noise", type=float, metavar="X", help="differences up to X do not count")
    parser.add_argument("--baseline", metavar="REV", help="where it left the value of this earlier commit")
    _add_formats(parser, tables=False)


def _bisect(parser: Parser) -> None:
    parser.usage = (
        "finetui bisect GOOD BAD CONDITION | start GOOD BAD CONDITION | run | status | log | skip [REV] | reset"
    )
    parser.description = (
        "Finds the first commit that does not fulfil a condition such as 'test/exact_match >= 0.9': "
        "by stored metrics first, then by running as few commits as can be. It can be stopped and goes on."
    )
    parser.mixes = True
    parser.add_argument("words", nargs="*", metavar="GOOD BAD CONDITION", help="or one of these words")
    parser.add_argument("--good", metavar="REV", help="a commit that fulfils the condition")
    parser.add_argument("--bad", metavar="REV", help="a later one that does not")
    parser.add_argument(
        "-S", "--set", action="append", default=[], dest="sets", metavar="KEY=VALUE", help="override a param in runs"
    )
    parser.add_argument(
        "--target", action="append", default=[], dest="targets", metavar="STAGE", help="run only up to this stage"
    )
    parser.add_argument("--trust", action="store_true", help="believe stored metrics also where code changed since")
    parser.add_argument("--plan", "--dry-run", action="store_true", help="only say what is known and what would run")
    _add_formats(parser, tables=False)


def _doctor(parser: Parser) -> None:
    parser.add_argument("--json", action="store_const", const="json", dest="form", default="text")


def _add_formats(parser: argparse.ArgumentParser, tables: bool = True) -> None:
    forms = parser.add_mutually_exclusive_group()
    for form in ("json", "csv", "md") if tables else ("json",):
        forms.add_argument(f"--{form}", action="store_const", const=form, dest="form", help=f"print {form}")
    parser.set_defaults(form="text")


_COMMANDS: dict[str, tuple[Callable[[Parser], None], str]] = {
    "init": (_init, "make a new project"),
    "experiments": (_experiments, "list all experiments"),
    "show": (_show, "show one experiment"),
    "query": (_query, "ask in SQL; docs/sql.md has the tables"),
    "adapters": (_adapters, "list adapters, or write one out of the cache: adapters export REV DIR"),
    "compare": (_compare, "compare experiments side by side, and example by example"),
    "diff": (_diff, "what changed between two revisions: params, metrics, stages, data, files"),
    "run": (_run, "run the pipeline as an experiment, away from the workspace"),
    "stop": (_stop, "stop a run; its metrics so far are kept"),
    "logs": (_logs, "print the log of a run"),
    "log": (_log, "show a metric or param along the history"),
    "blame": (_blame, "name the commit where a metric last moved, and what changed there"),
    "bisect": (_bisect, "find the commit that broke a condition"),
    "doctor": (_doctor, "check that everything needed is there"),
}
"""What adds the options of a command, and what it does."""

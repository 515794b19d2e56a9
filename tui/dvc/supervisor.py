"""The process that looks after one run, detached from everything: `python -m tui.dvc.supervisor RUN_DIRECTORY`.

It can be killed and started again at any moment: it goes on from what the files and the living processes say.
"""

import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from tui.core.errors import UserError
from tui.dvc import processes
from tui.dvc.environment import run_environment
from tui.dvc.finish import finish
from tui.dvc.logscan import Happening, LogScanner
from tui.dvc.record import ENDED, RunFiles, RunSpec, RunStatus, StageNote, State, exclusive, read_spec, read_status

POLL_S = 0.2
GRACE_S = 10.0
"""Time between SIGINT and SIGTERM, and between SIGTERM and SIGKILL."""

_LOCK_ATTEMPTS = 5
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)


class Supervisor:
    """Starts or adopts the processes of one run, follows them, and finishes the run."""

    def __init__(self, files: RunFiles, spec: RunSpec) -> None:
        self._files = files
        self._spec = spec
        self._status = read_status(files)
        self._log = LogScanner(files.log)
        self._child: subprocess.Popen[bytes] | None = None
        self._is_saved = True

    def run(self) -> None:
        """Everything from wherever the run stands to its end."""
        status = self._status
        status.supervisor = processes.identify(psutil.Process().pid)
        if status.state not in ENDED:
            status.process = status.process or processes.leader(self._spec.id)
            is_over = self._files.stop.exists() or self._files.exit_code.exists()
            if status.process is None and not is_over:
                self._start()
            self._follow()
            self._save("finishing")
        try:
            finish(self._files, self._spec, status, witnessed=self._child is not None)
        except (UserError, OSError) as error:
            self._complain(str(error))
        # Nobody watches this process: what nobody expected would end it without a word, again and again.
        except Exception as error:  # noqa: BLE001
            traceback.print_exc()
            self._complain(f"{type(error).__name__}: {error}")

    def _complain(self, reason: str) -> None:
        """The run stays unfinished, and whoever looks at the runs next tries again."""
        self._status.trouble = f"the experiment could not be saved yet: {reason}"
        self._save()
        with suppress(OSError), self._files.log.open("a", encoding="utf-8") as log:
            log.write(f"finetui: {self._status.trouble}\n")

    def _start(self) -> None:
        spec, files = self._spec, self._files
        environment = run_environment(spec.id, spec.name, spec.baseline, files.site_cache, files.checkpoints)
        package_root = str(Path(__file__).parents[2])
        with self._files.log.open("ab") as log:
            self._child = subprocess.Popen(  # noqa: S603 - an argument list, no shell
                [sys.executable, "-m", "tui.dvc.reproduce", str(self._files.directory)],
                cwd=package_root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._status.process = processes.identify(self._child.pid)
        self._save("running")

    def _follow(self) -> None:
        """Until no process of the run is left."""
        while self._lives():
            if self._files.stop.exists():
                end_processes(self._spec.id, _SIGNALS, self._beat)
                break
            self._beat()
            time.sleep(POLL_S)
        end_processes(self._spec.id, _SIGNALS[1:], self._beat)
        self._note_stages()

    def _lives(self) -> bool:
        if self._child is not None:
            return self._child.poll() is None
        return processes.is_alive(self._status.process)

    def _beat(self) -> None:
        if self._child is not None:
            self._child.poll()
        if self._note_stages() or not self._is_saved:
            self._save()

    def _note_stages(self) -> bool:
        events = self._log.new_events()
        now = time.time()
        for stage, happening in events:
            note_event(self._status, stage, happening, now)
        return bool(events)

    def _save(self, state: State | None = None) -> None:
        """A full disk must not end the run: the next beat tries again."""
        status = self._status
        if state is not None:
            status.state = state
        self._is_saved = False
        with suppress(OSError):
            status.write(self._files.status)
            self._is_saved = True


def note_event(status: RunStatus, stage: str, happening: Happening, now: float) -> None:
    """A stage has started or was found up to date; DVC runs one at a time, so the one before it is done."""
    if stage in status.stages:
        return  # a supervisor that takes over reads the log from its beginning
    for note in status.stages.values():
        if note.status == "running":
            note.status, note.ended = "done", now
    status.stages[stage] = StageNote("running" if happening == "running" else "cached", now)
    status.stages[stage].is_restored = happening == "restored"


def end_processes(run_id: str, numbers: tuple[signal.Signals, ...], beat: Callable[[], None]) -> None:
    """Signal what is left of a run, ever harder, until nothing is left."""
    for number in numbers:
        if not processes.send(run_id, number):
            return
        deadline = time.monotonic() + GRACE_S
        while time.monotonic() < deadline:
            beat()
            time.sleep(POLL_S)
            if not processes.family(run_id):
                return


def main() -> int:
    """Look after a run unless somebody does; who only asks whether somebody does holds the lock for a moment, too."""
    files = RunFiles(Path(sys.argv[1]))
    spec = read_spec(files)
    for _ in range(_LOCK_ATTEMPTS):
        with exclusive(files.lock, wait=False) as held:
            if held and spec is not None:
                Supervisor(files, spec).run()
                break
        time.sleep(POLL_S)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Several processes for one stage, one per GPU: this one starts them and waits, the first of them speaks and writes.

The stage's own command stays `python -m pipeline.stages.<name>`. Each process finds its place where accelerate and
PyTorch look for it, in the environment. `accelerate launch` would do as much, but it answers a user's error with a
traceback of its own and one exit code for everything, and leaves its processes behind when it is killed.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from pipeline.contract import paths
from pipeline.contract.params import Optimisation, Params
from pipeline.contract.run_record import RunStatus, decode_run_record

RANK, LOCAL_RANK = "RANK", "LOCAL_RANK"
"""Environment variables in which every started process finds its number, over all machines and on this one."""
_SHARED_FOLDER = "FINETUI_SHARED_FOLDER"
_LAUNCHER = "FINETUI_LAUNCHER"
_STATUS: dict[int, RunStatus] = {0: "done", 128 + signal.SIGINT: "cancelled", 128 + signal.SIGTERM: "cancelled"}
_POLL_S = 0.1
_GRACE_S = 20.0


def is_started() -> bool:
    """Whether this process is one of several."""
    return _SHARED_FOLDER in os.environ


def is_main_process() -> bool:
    """Whether this process is the one that writes files and speaks."""
    return not is_started() or os.environ[RANK] == "0"


def local_rank() -> int | None:
    """Number of this process on this machine; None when it is alone."""
    return int(os.environ[LOCAL_RANK]) if is_started() else None


def shared_folder() -> Path | None:
    """Folder that all processes of a stage see and that is gone after them; None when this one is alone."""
    return Path(os.environ[_SHARED_FOLDER]) if _SHARED_FOLDER in os.environ else None


def own_folder(stage: str) -> Path:
    """Folder for the metrics of a stage; that of any process but the main one is thrown away."""
    shared = shared_folder()
    return paths.metrics_dir(stage) if shared is None or is_main_process() else shared / os.environ[RANK]


def parallel_training(params: Params, stage: str) -> Optimisation | None:
    """Params of the stage's training if that wants several processes."""
    trainings: dict[str, Optimisation] = {"train": params.train, "reward": params.reward, "align": params.align}
    training = trainings.get(stage)
    is_on = stage in trainings and getattr(params, stage).objective not in ("none", "teacher", "merge")
    return training if training is not None and is_on and training.num_processes > 1 else None


def launch(module: str, num_processes: int) -> int:
    """Run a stage's module in several processes; 0, or the exit code of the first one that failed."""
    processes: list[subprocess.Popen[bytes]] = []
    status: RunStatus = "cancelled"
    error = None
    with TemporaryDirectory(prefix="finetui-") as name:
        folder, port = Path(name), _free_port()
        try:
            for rank in range(num_processes):
                processes.append(_start(module, rank, num_processes, port, folder))
            rank, code = _wait(processes)
            status = _STATUS.get(code, "failed")
            error = _error(folder, rank, code) if status == "failed" else None
        finally:
            # Whatever ends this process ends the others, which would wait for each other for ever.
            _end(processes)
            _correct_record(module.rpartition(".")[2], status, error)
        _tell(folder, rank, code, error)
    return code if code >= 0 else 1


def begin_process() -> None:
    """What a started process does first: leave interrupts to the launcher, and end when that one is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_watch_launcher, args=(int(os.environ[_LAUNCHER]),), daemon=True).start()
    if not is_main_process():
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.close(silence)


def _start(module: str, rank: int, num_processes: int, port: int, folder: Path) -> subprocess.Popen[bytes]:
    place = {RANK: rank, LOCAL_RANK: rank, "WORLD_SIZE": num_processes, "LOCAL_WORLD_SIZE": num_processes}
    place |= {"MASTER_PORT": port, _LAUNCHER: os.getpid()}
    # Otherwise accelerate chooses, and warns of it.
    threads = {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // num_processes))}
    environment = threads | dict(os.environ) | {name: str(value) for name, value in place.items()}
    environment |= {"MASTER_ADDR": "127.0.0.1", _SHARED_FOLDER: str(folder)}
    command = [sys.executable, "-m", module]
    with _errors_file(folder, rank).open("wb") as errors:
        return subprocess.Popen(command, env=environment, stderr=errors)  # noqa: S603 - an argument list


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _wait(processes: Sequence[subprocess.Popen[bytes]]) -> tuple[int, int]:
    """The first process that failed and its exit code; (0, 0) when all are done."""
    while True:
        codes = [process.poll() for process in processes]
        for rank, code in enumerate(codes):
            if code:
                return rank, code
        if None not in codes:
            return 0, 0
        time.sleep(_POLL_S)


def _end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """End what still runs: politely, then for good."""
    handlers = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + _GRACE_S
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for number, handler in handlers.items():
        signal.signal(number, handler)


def _errors_file(folder: Path, rank: int) -> Path:
    return folder / f"errors-{rank}"


def _error(folder: Path, rank: int, code: int) -> str | None:
    """What a failed process has said last; a main process that could still speak has recorded it itself."""
    if rank == 0 and code > 0:
        return None
    if code < 0:
        name = signal.Signals(-code).name
        return f"process {rank} was ended by {name}; SIGKILL often means that memory ran out"
    lines = _errors_file(folder, rank).read_text(errors="replace").strip().splitlines()
    return f"process {rank}: {lines[-1] if lines else f'exit code {code}'}"


def _tell(folder: Path, rank: int, code: int, error: str | None) -> None:
    """Pass on what was written to stderr by the process that failed, or by the main one: all would say the same."""
    text = _errors_file(folder, rank).read_text(errors="replace")
    prefix = f"process {rank}: " if rank else ""
    sys.stderr.write("".join(f"{prefix}{line}\n" for line in text.splitlines()))
    if code < 0:
        sys.stderr.write(f"{error}\n")


def _correct_record(stage: str, status: RunStatus, error: str | None) -> None:
    """Say why the stage ended where its main process could not know, or was ended before it could write."""
    path = paths.metrics_dir(stage) / paths.RUN_RECORD_NAME
    record = decode_run_record(path.read_bytes()) if path.is_file() else None
    if record is None or (record.status != "running" and error is None):
        return
    record.status, record.error = status, error
    record.ended_at = record.ended_at or datetime.now(UTC).isoformat(timespec="seconds")
    record.write(path)


def _watch_launcher(launcher: int) -> None:
    """Nobody would end this process any more: it does so itself."""
    while os.getppid() == launcher:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE_S)
    # The main thread is in a library's hands, waiting for processes that are gone.
    os._exit(128 + signal.SIGTERM)

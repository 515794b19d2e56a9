"""The wheel works outside this repository, in an environment that has nothing else, with an empty home."""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.online, pytest.mark.timeout(900)]


class Installed:
    """A virtual environment with the wheel, and a home folder with nothing in it."""

    def __init__(self, directory: Path) -> None:
        self.bin = directory / "venv/bin"
        self.home = directory / "home"
        self.home.mkdir()
        venv.create(directory / "venv", with_pip=True)

    def run(self, *command: str, cwd: Path, code: int = 0) -> str:
        kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "REQUESTS_"))}
        env = {**kept, "HOME": str(self.home), "PATH": f"{self.bin}:/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
        done = subprocess.run(
            [str(self.bin / command[0]), *command[1:]], cwd=cwd, env=env, capture_output=True, text=True
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    directory = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(directory / "dist"), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = (directory / "dist").glob("finetui-*.whl")
    environment = Installed(directory)
    constraints = str(ROOT / ".ci/constraints.txt")
    environment.run("pip", "install", "--quiet", "--constraint", constraints, str(wheel), cwd=directory)
    return environment


def test_init_makes_a_project_that_the_command_line_reads(installed: Installed, tmp_path: Path) -> None:
    assert "a finetui project" in installed.run("finetui", "init", "project", cwd=tmp_path)
    project = tmp_path / "project"
    assert {path.name for path in project.iterdir()} >= {"dvc.yaml", "params.yaml", "data", "pipeline", ".git", ".dvc"}
    assert (project / "pipeline/data/shell/intents.toml").is_file()
    rows = json.loads(installed.run("finetui", "-C", "project", "experiments", "--json", cwd=tmp_path))
    kinds = [row["kind"] for row in rows]
    assert kinds == ["workspace", "commit"]
    assert rows[1]["params"]["params.yaml"]["train"]["lora"]["r"] == 16
    status = subprocess.run(["git", "status", "--porcelain"], cwd=project, capture_output=True, text=True, check=True)
    assert status.stdout == ""


def test_a_folder_with_files_is_refused_and_then_completed(installed: Installed, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "params.yaml").write_text("mine: 1\n")
    assert "not empty" in installed.run("finetui", "init", "project", cwd=tmp_path, code=2)
    assert list(project.iterdir()) == [project / "params.yaml"]
    assert "kept as it was: params.yaml" in installed.run("finetui", "init", "--into-existing", "project", cwd=tmp_path)
    assert (project / "params.yaml").read_text() == "mine: 1\n"
    assert (project / "dvc.yaml").is_file()


def test_the_tui_needs_no_training_library(installed: Installed, tmp_path: Path) -> None:
    code = "import tui.app, tui.screens, sys; sys.exit('torch' in sys.modules or 'dvc' in sys.modules)"
    installed.run("python", "-c", code, cwd=tmp_path)


def test_a_folder_that_is_no_project_is_told(installed: Installed, tmp_path: Path) -> None:
    assert "finetui init" in installed.run("finetui", "experiments", cwd=tmp_path, code=2)

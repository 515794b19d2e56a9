"""The documents point at what exists, and name what users can type."""

import re
from pathlib import Path

import pytest

from pipeline.contract.reference import reference
from tui.cli.parser import build_parser

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "data/README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
_LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")


def test_all_documents_are_looked_at() -> None:
    assert len(DOCUMENTS) >= 9


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_to_a_file(document: Path) -> None:
    links = _LINK.findall(document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_the_params_page_is_what_the_schema_says() -> None:
    assert (ROOT / "docs/params.md").read_text(encoding="utf-8") == reference()


def test_every_command_of_the_readme_exists() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = set(re.findall(r"^finetui ([a-z]+)", readme, re.MULTILINE))
    known = set(re.findall(r"\{([a-z,]+)\}|^    ([a-z]+)  ", build_parser().format_help(), re.MULTILINE))
    assert len(commands) >= 4
    assert commands <= {name for pair in known for name in pair if name} | {"experiments"}


def test_every_folder_of_the_file_tree_exists() -> None:
    tree = (ROOT / "README.md").read_text(encoding="utf-8").split("```")
    listing = next(part for part in tree if "params.yaml         what" in part)
    top = [line.split()[0] for line in listing.splitlines() if line and not line.startswith(" ")]
    assert len(top) >= 6
    assert [name for name in top if not (ROOT / name).exists()] == []

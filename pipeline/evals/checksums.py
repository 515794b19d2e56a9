"""SHA256SUMS: a checksum of every file of a folder, in the format of `sha256sum -c`."""

import hashlib
from pathlib import Path

from pipeline.contract.files import write_text

SUMS_NAME = "SHA256SUMS"


def write_checksums(directory: Path) -> None:
    """Write the checksums of all files below a folder, sorted by path."""
    files = sorted(
        path.relative_to(directory).as_posix()
        for path in directory.rglob("*")
        if path.is_file() and path != directory / SUMS_NAME
    )
    write_text(directory / SUMS_NAME, "".join(f"{_sha256(directory / name)}  {name}\n" for name in files))


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

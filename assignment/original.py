"""The handout as it was handed out, kept beside the code: what its parts were, and what its other files must be.

The student's files change. Each part is checked beside the others as they were (see importing.py), and `doctor` says
which of the files that are not the student's have changed.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from handgrad.assignment.archive import zipped

PATH = "assignment/original.zip"
DIGESTS = "SHA256SUMS"
"""In the archive: a line for each of the other files, its digest and its path."""


class OriginalError(Exception):
    """The archive is missing or damaged; the message says how to mend that."""


@dataclass(frozen=True)
class Original:
    parts: Mapping[str, bytes]
    """The student's files, path -> content with the tasks blank."""
    digests: Mapping[str, str]
    """All other files, path -> digest."""


def packed(files: Mapping[str, bytes], parts: Collection[str]) -> bytes:
    """The content of `PATH` for a handout of `files` (path -> content), of which `parts` are the student's."""
    digests = "".join(f"{digest(files[path])}  {path}\n" for path in sorted(files.keys() - set(parts) - {PATH}))
    return zipped({**{path: files[path] for path in parts}, DIGESTS: digests.encode()})


def read(root: Path) -> Original:
    """The original of the handout in the folder `root`; OriginalError unless it can be read."""
    try:
        with zipfile.ZipFile(io.BytesIO((root / PATH).read_bytes())) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
        lines = files.pop(DIGESTS).decode().splitlines()
        return Original(files, {path: value for value, path in (line.split("  ", 1) for line in lines)})
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise OriginalError(f"{root / PATH} cannot be read ({error}); take it from the handout again") from None


def digest(content: bytes) -> str:
    """SHA-256 of a text whose lines may end as Windows or as other systems end them."""
    return hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest()

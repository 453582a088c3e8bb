"""The folder of results: the secret, and one file a submission, so that a run that was interrupted goes on."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from handgrad.files import written
from handgrad.grading.result import Result

SECRET = "secret"
SHORTEST = 8


class StoreError(ValueError):
    """The folder, or the secret, cannot be used; the message is one sentence."""


def read_secret(given: str | None, folder: Path) -> bytes:
    """The course's secret: a file's content or the text itself; without, the folder's own, made when there is none.

    StoreError for one shorter than SHORTEST bytes.
    """
    if given is None:
        path = folder / SECRET
        if not path.exists():
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(32) + "\n")
        content = path.read_bytes()
    elif Path(given).is_dir() or (os.sep in given and Path(given).parent.is_dir() and not Path(given).is_file()):
        raise StoreError(f"--secret {given}: expected a file that holds the secret, or the secret itself")
    elif Path(given).is_file():
        content = Path(given).read_bytes()
    else:
        content = os.fsencode(given)
    secret = content.strip()
    if len(secret) < SHORTEST:
        raise StoreError(f"the secret must have {SHORTEST} characters or more, got {len(secret)}")
    return secret


def assignment_id(skeleton: Mapping[str, bytes], solutions: Mapping[str, bytes]) -> str:
    """A hash of all that the points depend on beside the submission and the secret."""
    total = hashlib.sha256()
    for name, content in sorted([*skeleton.items(), *((f"solved {name}", c) for name, c in solutions.items())]):
        total.update(f"{len(name.encode())}:{name}:{len(content)}:".encode() + content)
    return total.hexdigest()


class Store:
    """The results in `folder` for one assignment and one secret, by the submissions' digests."""

    def __init__(self, folder: Path, assignment: str, secret: bytes) -> None:
        self.folder, self.assignment = folder, assignment[:12]
        self.secret = hashlib.sha256(b"handgrad " + secret).hexdigest()[:12]

    def path(self, digest: str) -> Path:
        return self.folder / f"{digest}-{self.secret}-{self.assignment}.json"

    def find(self, digest: str) -> Result | None:
        """The result of that submission, if there is one that can be read."""
        return _read(self.path(digest))

    def find_any(self, digest: str) -> Result | None:
        """The same; else the latest result with this secret for an earlier state of the assignment."""
        earlier = sorted(self.folder.glob(f"{digest}-{self.secret}-*.json"), key=lambda path: path.stat().st_mtime)
        found = (_read(path) for path in reversed(earlier))
        return self.find(digest) or next((result for result in found if result is not None), None)

    def keep(self, result: Result) -> None:
        with written(self.path(result.digest), "w", encoding="utf-8") as file:
            json.dump(result.to_dict(), file, indent=1)


def _read(path: Path) -> Result | None:
    try:
        return Result.from_dict(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return None

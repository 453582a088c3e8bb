"""What a student handed in, read without trusting it: a zip or a folder, of which only the parts' files are taken.

Nothing is ever extracted. Whatever is not one of the files asked for is left out, with a sentence where the student
would want to know; the other parts are graded all the same.
"""

from __future__ import annotations

import codecs
import hashlib
import io
import os
import re
import stat
import tokenize
import zipfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from handgrad.files import DAMAGED

UNDECODABLE = (SyntaxError, UnicodeError, LookupError)
"""What `text` raises for a file that is none in the encoding it declares."""

MAX_ARCHIVE = 32 << 20
MAX_MEMBERS = 5_000
MAX_FILE = 96 << 10
MAX_RATIO = 200
"""Bytes of content a compressed byte may stand for; Python source stays below 20."""

MAX_DEPTH = 3
"""Folders above the files, such as the one GitHub puts around a repository."""

MAX_NOTES = 20
ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".whl")


ODD_ENCODINGS = ("idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape", "utf-7")
"""Python reads them too, some of them slowly; no editor writes them."""

DECLARED = re.compile(r"(coding)[:=]")
"""In the first two lines, how a file tells its encoding."""


class SubmissionError(ValueError):
    """There is nothing to grade; the sentence says why."""


@dataclass(frozen=True)
class Submission:
    """The files that are graded (path -> content), a sentence for each that was refused, and the files' hash."""

    name: str
    files: dict[str, bytes]
    notes: list[str]
    digest: str


def read(source: str | os.PathLike[str] | bytes, wanted: Iterable[str], name: str = "") -> Submission:
    """The submission in `source`: a zip (its path or its bytes) or a folder, of which the `wanted` files are taken.

    The files may lie below one top folder, or be handed in without their folders. `name` is that of the source unless
    given. SubmissionError if `source` is neither a readable zip nor a folder.
    """
    asked = sorted(set(wanted))
    if isinstance(source, bytes):
        label, taken = name or "submission", _zip(source, asked)
    else:
        path = Path(source)
        label = name or path.name.removesuffix(".zip")
        if path.is_dir():
            taken = _folder(path, asked)
        elif path.is_file():
            try:
                with open(path, "rb") as file:
                    taken = _zip(file.read(MAX_ARCHIVE + 1), asked)
            except OSError as error:
                raise SubmissionError(f"{path.name} cannot be read: {error.strerror}") from None
        else:
            raise SubmissionError(f"expected a zip or a folder, and {path.name} is neither")
    files = {place: data for place, data in sorted(taken.files.items()) if taken.is_text(place, data)}
    notes = list(dict.fromkeys(taken.notes))
    if len(notes) > MAX_NOTES:
        notes[MAX_NOTES:] = [f"and {len(notes) - MAX_NOTES} more of the kind"]
    return Submission(label, files, notes, digest(files))


def text(content: bytes) -> str:
    """A submitted file as text, in the encoding it declares, with line feeds only; UNDECODABLE if it is none."""
    lines = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")  # as Python, before it looks for the declaration
    return lines.decode(_encoding(lines))


def source(code: str) -> bytes:
    """Text as a file that Python reads as just this text: in UTF-8, and not declared to be anything else."""
    lines = code.split("\n", 2)
    lines[:2] = [DECLARED.sub(r"\1 ", line) for line in lines[:2]]
    return "\n".join(lines).encode()


def digest(files: dict[str, bytes]) -> str:
    """The SHA-256 of the files' names and contents, whatever their order."""
    total = hashlib.sha256()
    for name, content in sorted(files.items()):
        total.update(f"{len(name.encode())}:{name}:{len(content)}:".encode() + content)
    return total.hexdigest()


class _Taken:
    """What is taken of a submission, and why the rest is not."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.notes: list[str] = []

    def leave(self, what: str, reason: str) -> None:
        self.notes.append(f"{what} was left out: {reason}")

    def take(self, place: str, data: bytes) -> None:
        if len(data) > MAX_FILE:
            self.leave(place, f"it has more than {MAX_FILE >> 10} KiB")
        else:
            self.files[place] = data

    def is_text(self, place: str, data: bytes) -> bool:
        try:
            text(data)
        except UNDECODABLE:
            self.leave(place, "it is not text in the encoding it declares (UTF-8 if it declares none)")
            return False
        if b"\0" in data:
            self.leave(place, "it holds zero bytes, and is no Python source")
            return False
        return True


def _encoding(lines: bytes) -> str:
    """The encoding that a file declares; LookupError for odd ones."""
    encoding = tokenize.detect_encoding(io.BytesIO(lines).readline)[0]
    if codecs.lookup(encoding).name in ODD_ENCODINGS:
        raise LookupError(encoding)
    return encoding


def _zip(data: bytes, wanted: list[str]) -> _Taken:
    if len(data) > MAX_ARCHIVE:
        raise SubmissionError(f"the zip has more than {MAX_ARCHIVE >> 20} MiB, which is all that is read")
    if data.count(b"PK\1\2") > MAX_MEMBERS:  # before a list of them is made
        raise SubmissionError(f"the zip has more than {MAX_MEMBERS} members, which is all that is looked at")
    taken = _Taken()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [member for member in archive.infolist() if _is_named(member, taken) and not member.is_dir()]
            places = _places([member.filename for member in members], wanted, taken)
            for member in members:
                if member.filename in places:
                    _member(archive, member, places[member.filename], taken)
    except (*DAMAGED, OSError):
        raise SubmissionError("expected a zip, and this is none or is damaged") from None
    return taken


def _is_named(member: zipfile.ZipInfo, taken: _Taken) -> bool:
    """Whether the member is called what zipfile says, which cuts a name at a zero byte."""
    if "\0" not in member.orig_filename:
        return True
    taken.leave(_shown(member.orig_filename), "its name holds a zero byte")
    return False


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, place: str, taken: _Taken) -> None:
    if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG):
        taken.leave(place, "it is a link or a device, and a file was expected")
    elif member.flag_bits & 0x1:
        taken.leave(place, "it is encrypted")
    elif member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # the others unpack without a limit
        taken.leave(place, "it is compressed by an unusual method; expected zip's own (deflate)")
    elif MAX_FILE >= member.file_size > MAX_RATIO * max(member.compress_size, 1):
        taken.leave(place, "it is compressed beyond what source code can be")
    else:
        try:
            with archive.open(member) as content:
                taken.take(place, content.read(MAX_FILE + 1))  # the size it declares may be a lie
        except (*DAMAGED, OSError):
            taken.leave(place, "it is damaged in the zip")


def _folder(root: Path, wanted: list[str]) -> _Taken:
    taken = _Taken()
    names: list[str] = []
    deepest = MAX_DEPTH + max((len(PurePosixPath(name).parts) for name in wanted), default=0)
    for parent, folders, files in os.walk(root):  # which does not follow links
        depth = len(Path(parent).relative_to(root).parts)
        for name in folders:
            if os.path.islink(os.path.join(parent, name)):
                taken.leave(_shown(name), "it is a link to a folder")
        folders[:] = sorted(name for name in folders if depth < deepest and not name.startswith("."))
        names += [Path(parent, name).relative_to(root).as_posix() for name in sorted(files)]
        if len(names) > MAX_MEMBERS:
            raise SubmissionError(f"the folder has more than {MAX_MEMBERS} files, which is all that is looked at")
    for name, place in _places(names, wanted, taken).items():
        path = root / name
        try:
            if not stat.S_ISREG(path.lstat().st_mode):
                taken.leave(place, "it is a link or a device, and a file was expected")
                continue
            with open(path, "rb") as file:
                taken.take(place, file.read(MAX_FILE + 1))
        except OSError as error:
            taken.leave(place, f"it cannot be read ({error.strerror})")
    return taken


def _places(names: list[str], wanted: list[str], taken: _Taken) -> dict[str, str]:
    """Which member is which wanted file, below the one top folder that holds most of them; notes on odd names."""
    paths: list[tuple[str, PurePosixPath]] = []
    for name in names:
        path = PurePosixPath(name.replace("\\", "/"))
        if "__MACOSX" in path.parts:
            continue
        if path.is_absolute() or ".." in path.parts or re.match("[A-Za-z]:", name):
            taken.leave(_shown(name), "its name leads out of the submission")
        elif path.suffix.lower() in ARCHIVES:
            taken.leave(_shown(name), "archives inside a submission are not opened")
        else:
            paths.append((name, path))
    tops = _tops(paths, wanted) or _tops(paths, [PurePosixPath(place).name for place in wanted])
    if not tops:
        taken.notes.append(f"none of the files asked for is there: {', '.join(wanted)}")
        return {}
    best = min(tops, key=lambda top: (-tops[top], len(top.parts), str(top)))
    below: dict[str, list[str]] = {}
    for name, path in paths:
        if path.is_relative_to(best):
            below.setdefault(path.relative_to(best).as_posix(), []).append(name)
    places = {}
    for place in wanted:
        bare = PurePosixPath(place).name
        spelt = [found for found in below if found.casefold() == place.casefold() and found != place]
        members = below.get(place) or below.get(bare, [])
        if len(members) > 1:
            taken.leave(place, f"the submission holds it {len(members)} times")
        elif members and bare not in wanted and place not in below and _twins(bare, wanted):
            taken.leave(_shown(bare), "two files of this name are asked for, and its folder is missing")
        elif members:
            places[members[0]] = place
        for found in spelt:
            taken.leave(_shown(found), f"expected {place}, spelt so")
    return places


def _tops(paths: list[tuple[str, PurePosixPath]], wanted: list[str]) -> Counter[PurePosixPath]:
    """How many of the wanted files lie below each folder."""
    tops: Counter[PurePosixPath] = Counter()
    for _, path in paths:
        for place in wanted:
            parts = PurePosixPath(place).parts
            if path.parts[-len(parts) :] == parts and len(path.parts) - len(parts) <= MAX_DEPTH:
                tops[PurePosixPath(*path.parts[: -len(parts)])] += 1
    return tops


def _twins(bare: str, wanted: list[str]) -> bool:
    return sum(PurePosixPath(place).name == bare for place in wanted) > 1


def _shown(name: str) -> str:
    return ascii(name if len(name) <= 80 else name[:77] + "...")

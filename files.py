"""Files of results: written beside their place and renamed, so that none is ever half-written."""

from __future__ import annotations

import lzma
import os
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np

from handgrad.params import Array

DAMAGED = (
    ValueError,
    EOFError,
    NotImplementedError,
    RuntimeError,  # an encrypted archive
    OverflowError,
    MemoryError,  # a header that promises more than there can be
    SyntaxError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
)
"""What reading a damaged .npz file may raise."""

PathLike: TypeAlias = str | os.PathLike[str]


@contextmanager
def written(path: PathLike, mode: str = "wb", **options: Any) -> Iterator[IO[Any]]:
    """An open file that becomes `path` when the block ends well; what stood there stays until then."""
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file() and not target.is_dir():  # a pipe or a device is written to
        with open(target, mode, **options) as file:
            yield file
        return
    for wrong, reason in ((target.is_dir(), "is a folder"), (not target.parent.is_dir(), "there is no such folder")):
        if wrong:
            raise OSError(f"{path}: cannot be written, {reason}")
    beside = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with open(beside, mode, **options) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, target)
    finally:
        beside.unlink(missing_ok=True)


def write_npz(path: PathLike, arrays: Mapping[str, Array]) -> None:
    """Writes named arrays to exactly `path` (no ending is added), without pickle."""
    with written(path) as file, zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, np.asanyarray(array), allow_pickle=False)


def read_npz(path: PathLike) -> dict[str, Array]:
    """The arrays of an .npz file by name. ValueError when it is no such file or damaged, OSError if unreadable."""
    try:
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise ValueError("it is a .npy file of one array")
        with archive:
            arrays = {name: archive[name] for name in archive.files}
        if not all(isinstance(array, np.ndarray) for array in arrays.values()):
            raise ValueError("it holds something else than arrays")
        return arrays
    except DAMAGED as error:
        raise ValueError(f"{path}: expected an .npz file of plain arrays, but {_reason(error)}") from None


def check_arrays(found: Mapping[str, Array], wanted: Mapping[str, Array], where: str) -> None:
    """Raises one ValueError that lists every name of `found` that is missing, unexpected or of a wrong shape."""
    faults = [f"missing {name} {wanted[name].shape}" for name in wanted if name not in found]
    faults += [f"unexpected {name} {found[name].shape}" for name in found if name not in wanted]
    for name in wanted:
        if name in found and found[name].shape != wanted[name].shape:
            faults.append(f"{name} has shape {found[name].shape}, expected {wanted[name].shape}")
        elif name in found and found[name].dtype.kind not in "fiu":
            faults.append(f"{name} has dtype {found[name].dtype}, expected numbers")
    if faults:
        raise ValueError(f"{where}: {'; '.join(faults)}")


def _reason(error: Exception) -> str:
    if "pickle" in str(error).lower():
        return "it is something else, or holds Python objects"
    if "one array" in str(error) or "something else" in str(error):
        return str(error)
    return f"it is damaged ({error or 'it ends too early'})"

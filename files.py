"""Files of results: written beside their place and renamed, so that none is ever half-written."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np

from handgrad.params import Array

PathLike: TypeAlias = str | os.PathLike[str]


@contextmanager
def written(path: PathLike, mode: str = "wb", **options: Any) -> Iterator[IO[Any]]:
    """An open file that becomes `path` when the block ends well; what stood there stays until then."""
    target = Path(os.path.realpath(path))
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
            return {name: archive[name] for name in archive.files}
    except (ValueError, EOFError, zipfile.BadZipFile, NotImplementedError) as error:
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
    return str(error) if "one array" in str(error) else f"it is damaged ({error or 'it ends too early'})"

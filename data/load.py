"""Data by name or path."""

from __future__ import annotations

from pathlib import Path

from handgrad.data.dataset import DataError, Dataset
from handgrad.data.digits import digits
from handgrad.data.idx import read_idx_folder
from handgrad.data.tables import read_csv, read_npz
from handgrad.files import PathLike


def load(source: PathLike, *, label: str | int | None = None) -> tuple[Dataset, Dataset]:
    """(training, test) of "digits", a folder of IDX files, an .npz file or a .csv file.

    A file without a test part is split, one row in five, by a fixed permutation. `label` is for .csv files,
    see `read_csv`. DataError says what is wrong with the data; OSError, that a file cannot be read.
    """
    if source == "digits":
        return digits()
    path = _existing(source)
    if path.is_dir():
        return read_idx_folder(path)
    train, test = read_npz(path) if _kind(path) == "npz" else (read_csv(path, label=label), None)
    if not train.labelled:
        raise DataError(f"{path}: expected labels beside the features, but there are none")
    return (train, test) if test is not None else train.split()


def load_rows(source: PathLike, features: int, *, label: str | int | None = None) -> Dataset:
    """The rows to predict: the test part where there is one, else all; labels may be absent.

    DataError when the rows do not have `features` numbers.
    """
    if source == "digits" or Path(source).is_dir():
        data = load(source)[1]
    elif _kind(_existing(source)) == "npz":
        whole, test = read_npz(source)
        data = test or whole
    else:
        data = read_csv(source, label=label, features=features)
    if data.stored.shape[1] != features:
        raise DataError(f"{source}: expected {features} features a row, as the model does, got {data.stored.shape[1]}")
    return data


def _existing(source: PathLike) -> Path:
    path = Path(source)
    if not path.exists():
        raise DataError(f"{source}: no such file or folder; data may be digits, a folder of IDX files, .npz or .csv")
    return path


def _kind(path: Path) -> str:
    name = path.name.lower()
    if name.endswith(".npz"):
        return "npz"
    if name.endswith((".csv", ".csv.gz")):
        return "csv"
    raise DataError(
        f"{path}: expected a folder of IDX files, a .npz or a .csv file; this is {path.suffix or 'neither'}"
    )

"""Data by name or path."""

from __future__ import annotations

from pathlib import Path

from handgrad.data.dataset import DataError, Dataset, PathLike
from handgrad.data.digits import digits
from handgrad.data.idx import read_idx_folder
from handgrad.data.tables import read_csv, read_npz


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
    if test is not None:
        return train, test
    if len(train) < 2:
        raise DataError(f"{path}: expected at least two rows, for training and test, got one")
    return train.split()


def load_rows(source: PathLike, features: int, *, label: str | int | None = None) -> Dataset:
    """The rows to predict: the test part where there is one, else all; labels may be absent.

    A .csv file of just `features` columns has no labels. DataError when the rows have another number of
    features, or as in `load`.
    """
    if source == "digits" or Path(source).is_dir():
        data = load(source)[1]
    elif _kind(_existing(source)) == "npz":
        whole, test = read_npz(source)
        data = whole if test is None else test
    else:
        data = read_csv(source, label=label, features=features)
    found = data.stored.shape[1]
    if found != features:
        raise DataError(f"{source}: expected {features} features a row, got {found}")
    return data


def _existing(source: PathLike) -> Path:
    path = Path(source)
    if not path.exists():
        raise DataError(
            f"{source}: there is no such file or folder; "
            "data may be digits, a folder of IDX files, an .npz file, a .csv or a .csv.gz file"
        )
    return path


def _kind(path: Path) -> str:
    name = path.name.lower()
    if name.endswith(".npz"):
        return "npz"
    if name.endswith((".csv", ".csv.gz")):
        return "csv"
    raise DataError(
        f"{path}: expected digits, a folder of IDX files, an .npz file, a .csv or a .csv.gz file, "
        f"got a file that ends in {path.suffix or 'nothing'}"
    )

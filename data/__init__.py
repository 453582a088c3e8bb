"""Data: the embedded digits, readers of common files, and mini-batches."""

from handgrad.data.batches import Batches, batches
from handgrad.data.dataset import DataError, Dataset
from handgrad.data.digits import digits
from handgrad.data.idx import read_idx, read_idx_folder
from handgrad.data.load import load, load_rows
from handgrad.data.tables import read_csv, read_npz

__all__ = [
    "Batches",
    "DataError",
    "Dataset",
    "batches",
    "digits",
    "load",
    "load_rows",
    "read_csv",
    "read_idx",
    "read_idx_folder",
    "read_npz",
]

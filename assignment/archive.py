"""Zip archives that are the same to the byte whenever and wherever they are made."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

DATE = (1980, 1, 1, 0, 0, 0)
"""The earliest that a zip archive can say."""

MODE = 0o100644
"""A regular file that everybody reads and its owner writes."""

UNIX = 3


def zipped(files: Mapping[str, bytes]) -> bytes:
    """The archive of `files` (path with forward slashes -> content), in the order of their paths.

    They are stored, not compressed: another version of zlib would compress to other bytes.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path, content in sorted(files.items()):
            member = zipfile.ZipInfo(path, DATE)
            member.external_attr, member.create_system = MODE << 16, UNIX
            archive.writestr(member, content)
    return buffer.getvalue()

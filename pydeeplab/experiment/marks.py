"""Which stages are done: marks that say from which inputs their outputs were made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydeeplab.files import make_folder, write_text

__all__ = ["Marks", "changed_inputs", "fingerprint"]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _stamp(path: Path) -> dict[str, Any]:
    found = path.stat()
    return {"size": found.st_size, "mtime_ns": found.st_mtime_ns}


def _folder_entry(path: Path) -> dict[str, Any]:
    listing = [(f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in sorted(path.iterdir()) if f.is_file()]
    return {"files": len(listing), "sha256": hashlib.sha256(repr(listing).encode()).hexdigest()}


def fingerprint(paths: Iterable[Path], settings: str, known: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What inputs are like: SHA-256 of each file, of each folder's names, sizes and times, and of the settings.

    Parameters
    ----------
    paths
        Files and folders; one that does not exist is noted as missing.
    settings
        All else that the outputs depend on.
    known
        An earlier fingerprint: files of the same size and time are not read again.
    """
    entries: dict[str, Any] = {}
    for path in paths:
        name = path.as_posix()
        if path.is_dir():
            entries[name] = _folder_entry(path)
        elif path.is_file():
            stamp, before = _stamp(path), (known or {}).get(name, {})
            same = isinstance(before, dict) and all(before.get(k) == v for k, v in stamp.items())
            entries[name] = {**stamp, "sha256": before["sha256"] if same and "sha256" in before else _digest(path)}
        else:
            entries[name] = {"sha256": "missing"}
    entries["settings"] = {"sha256": hashlib.sha256(settings.encode()).hexdigest()}
    return entries


def changed_inputs(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The inputs that are not what they were, by name."""

    def digest(entry: Any) -> Any:
        return entry.get("sha256") if isinstance(entry, dict) else None

    return [name for name in {**before, **now} if digest(before.get(name)) != digest(now.get(name))]


class Marks:
    """The marks in one folder: ``<key>.json``, written when a stage begins and when it ends."""

    def __init__(self, folder: Path):
        self.folder = folder

    def path(self, key: str) -> Path:
        """The file of a mark."""
        return self.folder / f"{key}.json"

    def read(self, key: str) -> dict[str, Any]:
        """A mark; empty where there is none, or none that can be read."""
        try:
            mark = json.loads(self.path(key).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        usable = isinstance(mark, dict) and isinstance(mark.get("inputs"), dict)
        return mark if usable and mark.get("state") in ("begun", "done") else {}

    def write(self, key: str, state: str, inputs: Mapping[str, Any], **facts: Any) -> None:
        """Write a mark, whole or not at all."""
        make_folder(self.folder)
        write_text(self.path(key), json.dumps({"state": state, "inputs": inputs, **facts}, indent=1) + "\n")

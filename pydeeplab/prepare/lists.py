"""The lists of a prepared data set, as the nets of prototxt/ read them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydeeplab.data.classes import ClassSet
from pydeeplab.data.lists import read_lines
from pydeeplab.errors import DataError, UsageError
from pydeeplab.prepare.devkit import PathLike, existing_folder
from pydeeplab.prepare.plan import Item, Plan

__all__ = ["SetCount", "class_text", "count_set", "list_files", "use_lists"]


@dataclass(frozen=True)
class SetCount:
    """How many pictures a set has.

    Attributes
    ----------
    name : str
    found : int
        Pictures in the list.
    expected : int or None
        Its published size.
    left_out : tuple of str
        Pictures that belong to it but could not be prepared.
    """

    name: str
    found: int
    expected: int | None = None
    left_out: tuple[str, ...] = ()

    @property
    def as_published(self) -> bool:
        """Whether the size is the published one, or none is known."""
        return self.expected is None or self.found == self.expected


def use_lists(plan: Plan, folder: PathLike) -> None:
    """Replace the sets by those of the ``*.txt`` files of a folder: a name, or a line of a list, per line.

    Raises
    ------
    UsageError
        The folder does not exist or has no lists.
    DataError
        A list names a picture that the data set does not have.
    """
    base = existing_folder(folder, "the folder of lists")
    files = sorted(f for f in base.glob("*.txt") if not f.stem.endswith("_id"))
    if not files:
        raise UsageError(f"'{base}' holds no lists (*.txt)")
    by_stem = {Path(name).name: name for name in plan.items}
    sets: dict[str, list[str]] = {}
    for file in files:
        names = sets.setdefault(file.stem, [])
        for number, line in read_lines(file):
            word = line.split()[0].lstrip("/")
            stem = Path(word).name
            found = next((n for n in (word, by_stem.get(stem), by_stem.get(Path(word).stem)) if n in plan.items), None)
            if found is None:
                raise DataError(f"{file}:{number}: the data set has no picture '{word}'")
            names.append(found)
    plan.sets = {name: list(dict.fromkeys(names)) for name, names in sets.items()}
    used = {name for names in plan.sets.values() for name in names}
    plan.items = {name: item for name, item in plan.items.items() if name in used}


def count_set(name: str, plan: Plan, ready: set[str], dropped: set[str]) -> SetCount:
    """The size of a set: its pictures that are ready; those that are dropped do not belong to it."""
    members = [n for n in plan.sets[name] if n not in dropped]
    found = sum(n in ready for n in members)
    return SetCount(name, found, plan.expected.get(name), tuple(n for n in members if n not in ready))


def list_files(plan: Plan, ready: set[str]) -> dict[str, str]:
    """The texts of all lists by file name: ``<set>.txt``, and ``<set>_id.txt`` with names only."""
    texts = {}
    for name, members in plan.sets.items():
        items = [plan.items[n] for n in members if n in ready]
        texts[f"{name}.txt"] = _joined(map(_line, items))
        texts[f"{name}_id.txt"] = _joined(item.name for item in items)
    return texts


def _line(item: Item) -> str:
    return f"{item.image} {item.label}" if item.label else item.image


def _joined(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def class_text(classes: ClassSet) -> str:
    """Names and colours of classes, as `pydeeplab.data.class_set` reads them."""
    rows = zip(classes.names, classes.palette[: len(classes)].tolist(), strict=True)
    return _joined(f"{name} {red} {green} {blue}" for name, (red, green, blue) in rows)

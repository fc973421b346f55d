"""Preparing a data set: label maps, lists and classes."""

from __future__ import annotations

import inspect
import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydeeplab.data.classes import ClassSet
from pydeeplab.data.palette import voc_palette
from pydeeplab.errors import UsageError, counted, did_you_mean
from pydeeplab.files import write_if_changed
from pydeeplab.prepare.cityscapes import plan_cityscapes
from pydeeplab.prepare.context import plan_pascal_context
from pydeeplab.prepare.folders import link_folders
from pydeeplab.prepare.labels import Job, Outcome, run_job
from pydeeplab.prepare.lists import SetCount, class_text, count_set, list_files, use_lists
from pydeeplab.prepare.own import plan_own
from pydeeplab.prepare.person_part import plan_person_part
from pydeeplab.prepare.plan import VOID, Item, Plan
from pydeeplab.prepare.pool import map_files
from pydeeplab.prepare.voc import plan_voc12
from pydeeplab.threads import usable_cores

__all__ = ["DATASETS", "Prepared", "prepare"]

PathLike = str | os.PathLike[str]
Watch = Callable[[str, int, int], None]

DATASETS: Mapping[str, Callable[..., Plan]] = {
    "voc12": plan_voc12,
    "pascal_context": plan_pascal_context,
    "person_part": plan_person_part,
    "cityscapes": plan_cityscapes,
    "own": plan_own,
}
"""What can be prepared."""


@dataclass(frozen=True)
class Prepared:
    """A data set that training and testing can begin with.

    Attributes
    ----------
    dataset : str
        A name of `DATASETS`.
    exp : str
        DeepLab's ``EXP``, the folder in ``out`` that the nets of prototxt/ expect.
    out : Path
        Where nets are run from: their lists are ``<exp>/list/<set>.txt``, relative to it.
    data_root : Path
        ``DATA_ROOT``: the paths in lists continue it.
    lists : dict of str to Path
        The list of each set; ``<set>_id.txt`` beside it holds names only.
    counts : dict of str to SetCount
        The size of each set, and the published one.
    classes : ClassSet
        Names and colours, which are also in the file ``class_file``.
    labels : dict of str to int
        How many label maps are "written", "remade" (they differed from their source), "kept", and, when checking,
        "missing" and "different".
    copied : int
        How many images were copied.
    changed : tuple of str
        Links, lists and other files that were changed; when checking, that would be.
    problems : tuple of str
        What could not be prepared, and is in no list.
    notes : tuple of str
        What else there is to know.
    check : bool
        Whether nothing was written.
    """

    dataset: str
    exp: str
    out: Path
    data_root: Path
    lists: dict[str, Path]
    counts: dict[str, SetCount]
    classes: ClassSet
    class_file: Path
    labels: dict[str, int]
    copied: int = 0
    changed: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    check: bool = False

    @property
    def same(self) -> bool:
        """Whether everything was there already and stays as it was."""
        return not self.changed and not self.copied and set(self.labels) <= {"kept"}

    @property
    def ok(self) -> bool:
        """Whether all pictures could be prepared; when checking, whether all is there too."""
        return not self.problems and (self.same or not self.check)

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON can hold it."""
        return {
            "dataset": self.dataset,
            "ok": self.ok,
            "same": self.same,
            "check": self.check,
            "exp": self.exp,
            "out": str(self.out),
            "data_root": str(self.data_root),
            "lists": {name: str(path) for name, path in self.lists.items()},
            "counts": {
                c.name: {"found": c.found, "expected": c.expected, "left_out": list(c.left_out)}
                for c in self.counts.values()
            },
            "classes": list(self.classes.names),
            "class_file": str(self.class_file),
            "labels": self.labels,
            "copied": self.copied,
            "changed": list(self.changed),
            "problems": list(self.problems),
            "notes": list(self.notes),
        }


def prepare(
    dataset: str,
    root: PathLike,
    out: PathLike = ".",
    *,
    data: PathLike | None = None,
    lists: PathLike | None = None,
    copy: bool = False,
    check: bool = False,
    fast: bool = False,
    workers: int | None = None,
    watch: Watch | None = None,
    **options: Any,
) -> Prepared:
    """Make label maps, lists and a class file from a devkit as it comes.

    What is finished stays: label maps are compared with their sources, so that a second run changes nothing, and one
    after an interruption goes on. A picture that cannot be prepared does not stop the others.

    Parameters
    ----------
    dataset : str
        A name of `DATASETS`; ``-`` may be written for ``_``.
    root
        The devkit's folder; see `plan_voc12` and the others.
    out
        Where nets will be run from. ``<out>/<exp>/list`` gets the lists.
    data
        The data root; ``<out>/<exp>/data`` by default. It gets the label maps, and links to the devkit's images.
    lists
        A folder with lists of one's own, such as published ones: the sets are theirs.
    copy
        Copy the images rather than link to their folders.
    check
        Write nothing; say what is missing or different. Images are decoded too.
    fast
        Trust finished label maps that decode and have their picture's size.
    workers : int, optional
        Processes at once; all cores by default.
    watch : function, optional
        Called with a label, the number of pictures done, and of all.
    **options
        What the data set's plan takes: ``annotations``, ``class_order``, ``images``, ``masks``, ...

    Returns
    -------
    Prepared

    Raises
    ------
    UsageError
        An unknown data set or option, or the devkit is not where it should be.
    DataError
        The devkit's own lists are missing or damaged.
    OutputError
        A result cannot be written.
    """
    name = dataset.replace("-", "_")
    if name not in DATASETS:
        raise UsageError(
            f"unknown data set '{dataset}'; known are {', '.join(DATASETS)}.{did_you_mean(name, DATASETS)}"
        )
    plan = _plan(name, root, options)
    if lists is not None:
        use_lists(plan, lists)
    place = Path(out)
    data_root = place / plan.exp / "data" if data is None else Path(data)
    work = _Work(plan, place / plan.exp, data_root, copy=copy, check=check, fast=fast)
    changed = [] if copy else link_folders(plan.folders, data_root, check=check)
    outcomes = work.run(usable_cores() if workers is None else max(1, workers), watch or (lambda *_: None))
    return work.finish(name, place, outcomes, changed)


def _plan(name: str, root: PathLike, options: Mapping[str, Any]) -> Plan:
    planner = DATASETS[name]
    known = list(inspect.signature(planner).parameters)[1:]
    for option in options:
        if option not in known:
            raise UsageError(f"{name} takes no '{option}', only {', '.join(known)}.{did_you_mean(option, known)}")
    return planner(root, **options)


@dataclass(frozen=True)
class _Work:
    """The steps of a preparation."""

    plan: Plan
    exp: Path
    data_root: Path
    copy: bool
    check: bool
    fast: bool

    def run(self, workers: int, watch: Watch) -> list[Outcome]:
        """Prepare all pictures."""
        jobs = [self._job(item) for item in self.plan.items.values()]
        label = "checking" if self.check else "preparing"
        watch(label, 0, len(jobs))
        return map_files(run_job, jobs, workers, lambda done: watch(label, done, len(jobs)), "prepares label maps")

    def _job(self, item: Item) -> Job:
        folder, _, rest = item.image.lstrip("/").partition("/")
        original = self.plan.folders[folder] / rest
        image = self.data_root / folder / rest
        if not self.copy and not (self.data_root / folder).is_dir():  # a link that is not there yet
            image = original
        return Job(
            item,
            image,
            self.data_root / item.label.lstrip("/") if item.label else None,
            len(self.plan.classes) if self.plan.classes else VOID,
            self.check,
            self.fast,
            original if self.copy else None,
        )

    def finish(self, name: str, out: Path, outcomes: list[Outcome], changed: list[str]) -> Prepared:
        """Write the lists and the class file, and say what was done."""
        failed = [o for o in outcomes if o.state == "failed"]
        dropped = {o.name for o in outcomes if o.state == "empty"}
        ready = {o.name for o in outcomes} - dropped - {o.name for o in failed}
        present = {label for outcome in outcomes for label in outcome.labels} - {VOID}
        classes = self.plan.classes or _numbered(self.plan.exp, max(present, default=0) + 1)
        files = {self.exp / "list" / file: text for file, text in list_files(self.plan, ready).items()}
        class_file = self.exp / "classes.txt"
        files[class_file] = class_text(classes)
        changed += [str(path) for path, text in files.items() if write_if_changed(path, text, dry_run=self.check)]
        states = Counter(o.state for o in outcomes if o.state not in ("failed", "empty", "image"))
        counts = {s: count_set(s, self.plan, ready, dropped) for s in self.plan.sets}
        return Prepared(
            dataset=name,
            exp=self.plan.exp,
            out=out,
            data_root=self.data_root,
            lists={s: self.exp / "list" / f"{s}.txt" for s in self.plan.sets},
            counts=counts,
            classes=classes,
            class_file=class_file,
            labels=dict(states),
            copied=sum(o.copied for o in outcomes),
            changed=tuple(changed),
            problems=tuple(o.problem for o in failed),
            notes=(*self.plan.notes, *self._dropped(dropped), *_absent(classes, present)),
            check=self.check,
        )

    def _dropped(self, names: set[str]) -> list[str]:
        """A note of the pictures that do not belong to the data set."""
        if not names:
            return []
        return [f"{counted(len(names), 'picture')} without {self.plan.without} do not belong to the data set"]


def _numbered(name: str, count: int) -> ClassSet:
    return ClassSet(name, tuple(f"class {index}" for index in range(count)), voc_palette())


def _absent(classes: ClassSet, present: set[int]) -> list[str]:
    """A note of the classes that no label map has."""
    absent = [name for index, name in enumerate(classes.names) if index not in present]
    return [f"no picture has class {', '.join(absent)}"] if absent else []

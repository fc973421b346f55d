"""Stages up to a trained net: data, the weights to start from, training."""

from __future__ import annotations

import json
from pathlib import Path

from pydeeplab.data.lists import read_lines
from pydeeplab.experiment.marks import Marks
from pydeeplab.experiment.stage import Stage
from pydeeplab.experiment.starts import find_init, write_copies
from pydeeplab.experiment.subject import Subject
from pydeeplab.files import write_if_changed

__all__ = ["copied_init", "init", "prepare", "train"]


def prepare(subject: Subject) -> Stage:
    """Lists and label maps."""
    data, layout, root = subject.experiment.data, subject.layout, subject.workspace.root
    outputs = [layout.list(name) for name in subject.sets]
    outputs += [layout.ids(layout.test_set)] if subject.workspace.scores else []
    missing = [data.unavailable] if data.unavailable and subject.workspace.shrink is None else []
    there = all(path.is_file() for path in outputs) and Path(subject.data_root).is_dir()
    if root is not None and not root.is_dir():
        missing.append(f"the images: --root {root} is no folder")
    elif root is None and not there:
        missing.append("the images: --root FOLDER" + ("" if data.lists else f" with the devkit of {data.dataset}"))
    key = f"prepare_{'_'.join(subject.sets)}"
    if not data.lists:
        command = ("prepare", data.dataset, "--root", str(root or "DEVKIT"), *subject.workspace.prepare, "--out", ".")
        return Stage("prepare", key, [command], outputs=outputs, missing=missing, needs_all=True)
    given = Path(data.lists.replace("${DATA_ROOT}", str(root or "DATA_ROOT")))
    folder = next((f for f in (subject.experiment.path.parent / given, given) if f.is_dir()), given)
    lists = [folder / f"{name}.txt" for name in subject.sets]
    missing += [f"the list {path}" for path in lists if root is not None and not (there or path.is_file())]

    def copy_lists() -> None:
        for path in lists:
            lines = [line for _, line in read_lines(path)]
            write_if_changed(layout.list(path.stem), "".join(f"{line}\n" for line in lines))
            names = (Path(line.split()[0]).stem for line in lines)
            write_if_changed(layout.ids(path.stem), "".join(f"{name}\n" for name in names))

    does = f"copies the lists of {given} to {layout.exp}/list"
    return Stage("prepare", key, (), lists, "", outputs, missing, copy_lists, does, needs_all=True)


def _given_init(subject: Subject) -> Path | None:
    """``init.caffemodel`` in the folder of the model, which DeepLab's scripts start from."""
    own = subject.layout.model / "init.caffemodel"
    return own if own.is_file() else None


def copied_init(subject: Subject) -> Path | None:
    """The file of weights with copies of layers, where the experiment wants one made."""
    if not subject.experiment.init.copy or _given_init(subject) or subject.released("train"):
        return None
    target = subject.layout.model / "init_copies.caffemodel"
    trained = subject.trained("train").is_file() and not Marks(subject.layout.marks).read("train")
    return None if trained and not target.is_file() else target  # what was trained elsewhere needs no start


def _found_init(subject: Subject) -> tuple[str, list[str]]:
    """The weights that the first stage starts from, before layers are copied; and what is missing."""
    init = subject.experiment.init
    given = _given_init(subject)
    if given is not None or not init.weights:
        return (given or Path()).as_posix() if given else "", []
    found = find_init(init, subject.workspace.init, subject.workspace.folder)
    if found is not None:
        return str(found), []
    about = f" ({init.about})" if init.about else ""
    place = subject.workspace.init
    where = "" if place is None else f"; {place} {'holds no such file' if place.is_dir() else 'does not exist'}"
    return init.weights, [f"the weights that training starts from: --init {init.weights}{about}{where}"]


def init(subject: Subject) -> Stage:
    """The weights that training starts from, with copies of layers."""
    source, missing = _found_init(subject)
    target, copies = copied_init(subject) or Path(), subject.experiment.init.copy
    words = "; ".join(f"{name} to {', '.join(targets)}" for name, targets in copies.items())
    return Stage(
        "init",
        "init",
        inputs=[Path(source)],
        settings=str(copies),
        outputs=[target],
        missing=missing,
        action=lambda: write_copies(Path(source), target, copies),
        does=f"copies layers of {source}: {words}",
    )


def _start(subject: Subject, stage: str) -> tuple[str, list[str]]:
    """The weights that a stage of training starts from, and what is missing."""
    if stage == "train2":
        own = subject.layout.model / "init2.caffemodel"
        return (own if own.is_file() else subject.trained("train")).as_posix(), []
    copied = copied_init(subject)
    return (copied.as_posix(), []) if copied else _found_init(subject)


def train(subject: Subject, name: str) -> Stage:
    """A stage of training, ``train`` or ``train2``."""
    released = subject.released(name)
    if released is not None:
        return Stage(name, name, outputs=[released], does="nothing: these weights are tested as they are")
    config = subject.config_of(name)
    layout, solver = config.layout, config.solver()
    start, missing = _start(subject, name)
    log = layout.log / f"{config.target('train').stem}.log"
    command = (
        "train", "--solver", config.target("solver").as_posix(), *(("--weights", start) if start else ()),
        "--snapshot", "auto", "--check", "fast", "--log", log.as_posix(),
    )  # fmt: skip
    net, experiment = subject.experiment.net, subject.experiment
    given = [net.batch_size, net.augment, net.input_scale, subject.data_root, str(solver)]
    variables = {**experiment.variables, **subject.workspace.variables}
    return Stage(
        name,
        name,
        [command],
        [config.source("train"), layout.list(layout.train_set), *([Path(start)] if start else [])],
        json.dumps([*given, variables]),
        [Path(f"{layout.prefix}_iter_{solver.max_iter}.caffemodel")],
        missing,
        stale=sorted(layout.model.glob(f"{layout.prefix.name}_iter_*")),
    )

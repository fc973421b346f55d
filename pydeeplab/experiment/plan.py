"""The plan of an experiment: its stages, made from what is there now."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydeeplab.crf import CRFParameters
from pydeeplab.data.lists import read_lines
from pydeeplab.experiment.config import write_if_changed
from pydeeplab.experiment.report import source_of, write_report
from pydeeplab.experiment.stage import Stage
from pydeeplab.experiment.starts import find_init, write_copies
from pydeeplab.experiment.subject import Subject

__all__ = ["stages_of"]


def stages_of(subject: Subject) -> Iterator[Stage]:
    """The stages in their order; each is made when it is asked for, as it depends on what those before it leave."""
    experiment = subject.experiment
    yield _prepare(subject)
    if _copied(subject) is not None:
        yield _init(subject)
    yield _train(subject, "train")
    if subject.layout.stage_2:
        yield _train(subject, "train2")
    yield _test(subject)
    if experiment.crf is not None:
        if experiment.crf.search:
            yield _search(subject)
        yield _crf(subject)
    if experiment.data.truth:
        yield _score(subject)
    yield _report(subject)


# Data and training ---------------------------------------------------------------------------------------------------


def _prepare(subject: Subject) -> Stage:
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


def _copied(subject: Subject) -> Path | None:
    """The file of weights with copies of layers, where the experiment wants one made."""
    wanted = subject.experiment.init.copy and not _given_init(subject) and not subject.released("train")
    return subject.layout.model / "init_copies.caffemodel" if wanted else None


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
    return init.weights, [f"the weights that training starts from: --init {init.weights}{about}"]


def _init(subject: Subject) -> Stage:
    source, missing = _found_init(subject)
    target, copies = _copied(subject) or Path(), subject.experiment.init.copy
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
    copied = _copied(subject)
    return (copied.as_posix(), []) if copied else _found_init(subject)


def _train(subject: Subject, name: str) -> Stage:
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


# Testing -------------------------------------------------------------------------------------------------------------


def _label_maps(subject: Subject, folder: Path) -> list[Path]:
    """The label maps that a complete folder has."""
    return [folder / f"{name}.png" for name in subject.test_names()] or [folder]


def _net_words(subject: Subject) -> tuple[str, ...]:
    """The test list, the net and its weights, as `segment` and `crf-search` take them."""
    chosen, config = subject.experiment.net, subject.config
    return (
        "--list", subject.test_list.as_posix(), "--root", subject.data_root,
        "--net", config.target(config.test_net).as_posix(), "--weights", subject.weights.as_posix(),
        "--classes", subject.classes, *(("--tile", str(chosen.tile)) if chosen.tile else ()),
        *(("--output", chosen.output) if chosen.output else ()),
    )  # fmt: skip


def _segment(subject: Subject, folder: Path, crf: CRFParameters | None) -> tuple[str, ...]:
    """The command that runs the net on all test images."""
    refined = (f"--crf={crf}",) if crf is not None else ()
    return ("segment", *_net_words(subject), *refined, "--out", folder.as_posix(), "--skip-done", "--quiet")


def _refine(subject: Subject, folder: Path, crf: CRFParameters | None) -> tuple[str, ...]:
    """The command that makes label maps of score files; without iterations they are the net's."""
    layout = subject.layout
    params = ("--iterations", "0")
    if crf is not None:
        params = ("--params", str(crf))
    bins = () if crf is None else ("--bin", layout.post_folder(crf).as_posix())
    return (
        "crf", "--list", subject.test_list.as_posix(), "--root", subject.data_root,
        "--scores", layout.score_files.as_posix(), "--classes", subject.classes, *params, *bins,
        "--output", folder.as_posix(), "--quiet",
    )  # fmt: skip


def _tested(subject: Subject) -> dict[str, Any]:
    """Inputs and settings of every stage that runs the net."""
    chosen, config = subject.experiment.net, subject.config
    settings = [chosen.input_scale, chosen.tile, chosen.output, subject.data_root, subject.classes]
    return {
        "inputs": [config.source(config.test_net), subject.test_list, subject.weights],
        "settings": json.dumps([*settings, subject.workspace.scores]),
    }


def _test(subject: Subject) -> Stage:
    layout = subject.layout
    folder = layout.labels(None)
    commands = [_segment(subject, folder, None)]
    if subject.workspace.scores:
        net, count = subject.config.target("test").as_posix(), max(1, len(subject.test_names()))
        run = ("test", "--model", net, "--weights", subject.weights.as_posix(), "--iterations", str(count))
        commands = [run, _refine(subject, folder, None)]
    key = f"test_{layout.test_set}{'_2' if layout.stage_2 else ''}"
    return Stage("test", key, commands, outputs=_label_maps(subject, folder), stale=[folder], **_tested(subject))


def _search(subject: Subject) -> Stage:
    experiment, result = subject.experiment, subject.search_result
    if not experiment.data.truth:
        by = f"run {experiment.searched_by} first" if experiment.searched_by else "declare them: [crf] params"
        missing = [f"the CRF's parameters, which are found on {experiment.search_set}: {by}"]
        return Stage("crf-search", f"crf_search_{experiment.slug}", outputs=[result], missing=missing)
    assert experiment.crf is not None
    grid = (word for axis, values in experiment.crf.grid.items() for word in (f"--{axis.replace('_', '-')}", values))
    given = ("--images", str(experiment.crf.search_images), *grid, *subject.workspace.search)
    source = _net_words(subject)
    if subject.workspace.scores:
        scores = ("--scores", subject.layout.score_files.as_posix(), "--classes", subject.classes)
        source = ("--list", subject.test_list.as_posix(), "--root", subject.data_root, *scores)
    command = ("crf-search", *source, *given, "--out", result.parent.as_posix())
    tested = _tested(subject)
    tested["settings"] += str(given)
    key = f"crf_search_{experiment.slug}"
    return Stage("crf-search", key, [command], outputs=[result], stale=[result.parent], **tested)


def _crf(subject: Subject) -> Stage:
    crf, key = subject.crf(), f"crf_{subject.experiment.slug}"
    if crf is None:
        does = "runs the net and the CRF with the parameters that crf-search will have found"
        return Stage("crf", key, outputs=[subject.layout.results / "post_densecrf"], does=does)
    folder = subject.layout.labels(crf)
    command = _refine(subject, folder, crf) if subject.workspace.scores else _segment(subject, folder, crf)
    tested = _tested(subject)
    tested["settings"] += str(crf)
    return Stage("crf", key, [command], outputs=_label_maps(subject, folder), stale=[folder], **tested)


# Results -------------------------------------------------------------------------------------------------------------


def _score(subject: Subject) -> Stage:
    folders = subject.label_folders()
    predicted = [word for name, path in folders.items() for word in ("--predicted", f"{name}={path.as_posix()}")]
    targets = {option: subject.result(end) for option, end in
               (("--json", "_scores.json"), ("--html", "_scores.html"), ("--trimap", "_trimap.csv"))}  # fmt: skip
    command = (
        "eval", "--list", subject.test_list.as_posix(), "--root", subject.data_root, "--classes", subject.classes,
        *predicted, *(word for option, path in targets.items() for word in (option, path.as_posix())), "--quiet",
    )  # fmt: skip
    return Stage(
        "score",
        f"score_{subject.experiment.slug}",
        [command],
        [subject.test_list, *folders.values()],
        subject.classes,
        list(targets.values()),
    )


def _report(subject: Subject) -> Stage:
    experiment, target = subject.experiment, subject.result("_report.html")
    scored = experiment.data.truth
    inputs = [subject.result("_scores.json")] if scored else list(subject.label_folders().values())

    def write() -> None:
        stages = ("train", "train2") if subject.layout.stage_2 else ("train",)
        logs = {s: subject.layout.log / f"{subject.config_of(s).target('train').stem}.log" for s in stages}
        source = source_of(experiment.expected)
        write_report(
            target,
            f"{experiment.title} ({source})" if source else experiment.title,
            subject.numbers(),
            subject.settings(),
            logs={name: path for name, path in logs.items() if path.is_file()},
            trimap=subject.result("_trimap.csv"),
            pictures=subject.result("_scores.html"),
            files={f"label maps {name}": path for name, path in subject.label_folders().items()},
        )

    does = f"writes {target}: ours beside the paper's, settings, training"
    settings = f"{experiment.expected} {experiment.title} {experiment.note}"
    return Stage("report", f"report_{experiment.slug}", (), inputs, settings, [target], action=write, does=does)

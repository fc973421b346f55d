"""Stages that run the net and the CRF on the test images."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pydeeplab.crf import CRFParameters
from pydeeplab.data.classes import class_set
from pydeeplab.data.palette import write_label_png
from pydeeplab.errors import DataError
from pydeeplab.experiment.marks import Marks
from pydeeplab.experiment.stage import Stage
from pydeeplab.experiment.subject import Subject
from pydeeplab.formats.bin_map import read_bin

__all__ = ["crf", "search", "test"]


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


def test(subject: Subject) -> Stage:
    """Label maps before the CRF."""
    layout = subject.layout
    folder = layout.labels(None)
    commands = [_segment(subject, folder, None)]
    if subject.workspace.scores:
        net, count = subject.config.target("test").as_posix(), max(1, len(subject.test_names()))
        run = ("test", "--model", net, "--weights", subject.weights.as_posix(), "--iterations", str(count))
        commands = [run, _refine(subject, folder, None)]
    key = f"test_{layout.test_set}{'_2' if layout.stage_2 else ''}"
    outputs = _label_maps(subject, folder)
    scores = [layout.score_files / f"{name}_blob_0.mat" for name in subject.test_names()]
    if subject.workspace.scores and _made_elsewhere(subject, key, layout.score_files, scores):
        return Stage("test", key, commands[1:], [layout.score_files], "", outputs, stale=[folder])
    return Stage("test", key, commands, outputs=outputs, stale=[folder], **_tested(subject))


def _made_elsewhere(subject: Subject, key: str, folder: Path, files: Sequence[Path]) -> bool:
    """Whether another program has left these files, so that they are to be taken as they are."""
    mark = Marks(subject.layout.marks).read(key)
    ours = bool(mark) and folder.as_posix() not in mark["inputs"]
    return bool(files) and not ours and all(path.is_file() for path in files)


def search(subject: Subject) -> Stage:
    """The CRF's parameters, or whose search finds them."""
    experiment, result = subject.experiment, subject.search_result
    if experiment.searched_by is not None:
        missing = [f"the CRF's parameters, which {experiment.searched_by.name} finds: run that first"]
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


def crf(subject: Subject) -> Stage:
    """Label maps after the CRF."""
    crf, key = subject.crf(), f"crf_{subject.experiment.slug}"
    if crf is None:
        does = "runs the net and the CRF with the parameters that crf-search will have found"
        return Stage("crf", key, outputs=[subject.layout.results / "post_densecrf"], does=does)
    folder = subject.layout.labels(crf)
    post, outputs = subject.layout.post_folder(crf), _label_maps(subject, folder)
    bins = [post / f"{name}.bin" for name in subject.test_names()]
    if _made_elsewhere(subject, key, post, bins):
        does = f"turns the results of DeepLab's CRF program, {post}/*.bin, into label maps"
        convert = partial(_convert, subject, bins, folder)
        return Stage("crf", key, (), [post], "", outputs, action=convert, does=does, stale=[folder])
    command = _refine(subject, folder, crf) if subject.workspace.scores else _segment(subject, folder, crf)
    tested = _tested(subject)
    tested["settings"] += str(crf)
    return Stage("crf", key, [command], outputs=outputs, stale=[folder], **tested)


def _convert(subject: Subject, bins: Sequence[Path], folder: Path) -> None:
    """Write the label maps of .bin files."""
    palette = class_set(subject.classes).palette
    for path in bins:
        labels = read_bin(path)
        if labels.ndim != 2:
            raise DataError(f"{path}: holds probabilities; the results of the CRF program are labels")
        write_label_png(folder / f"{path.stem}.png", labels, palette)

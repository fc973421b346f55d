"""The whole preflight of a training, or of one net."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydeeplab.data.prefetch import get_data_workers
from pydeeplab.errors import PydeeplabError, UsageError, counted
from pydeeplab.formats import LoadReport
from pydeeplab.layer import TRAIN
from pydeeplab.net import Net
from pydeeplab.preflight.lists import check_list, check_overlap
from pydeeplab.preflight.nets import check_crop, check_memory, check_start
from pydeeplab.preflight.recipe import check_recipe
from pydeeplab.preflight.report import ERROR, NOTE, WARNING, Report, Watch, unwatched
from pydeeplab.preflight.subject import Subject
from pydeeplab.preflight.views import LIST_LAYERS, NetView, view_net
from pydeeplab.proto import NetSource, SolverSource, read_net, read_solver
from pydeeplab.solver.nets import test_choices, train_choice

__all__ = ["check_net", "check_training"]

Weights = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


def check_training(
    solver: str | os.PathLike[str] | SolverSource,
    *,
    weights: Weights | None = None,
    resumed: bool = False,
    defines: Mapping[str, str] | None = None,
    level: int = 0,
    stages: Sequence[str] = (),
    fast: bool = False,
    workers: int | None = None,
    watch: Watch = unwatched,
) -> Report:
    """Check everything that a training needs, before it starts; nothing is trained and no file is written.

    Parameters
    ----------
    solver : path or SolverSource
    weights : path or paths, optional
        The weights that training starts from.
    resumed : bool
        Training goes on from a snapshot, which holds all weights.
    defines : mapping, optional
        Values for ``${NAME}`` in the prototxts.
    level, stages
        Of the nets' states, as on the command line of ``train``.
    fast : bool
        Decode only a sample of the files; of the others look at the headers.
    workers : int, optional
        Processes that decode; by default as many as threads make batches.
    watch : callable
        Called with what is being done, how many are done, and of how many.

    Returns
    -------
    Report
        ``report.ok`` tells whether training may start; ``report.findings`` says why not, worst first.

    Raises
    ------
    PydeeplabError
        The solver itself cannot be read. Whatever is wrong with nets, lists, files and weights is a finding.

    Examples
    --------
    >>> report = check_training("solver.prototxt", weights="init.caffemodel")  # doctest: +SKIP
    >>> report.summary  # doctest: +SKIP
    '0 errors, 1 warning, 3 notes'
    """
    source = solver if isinstance(solver, SolverSource) else read_solver(solver, defines=defines)
    report = Report()
    views = []
    try:
        choices = [train_choice(source), *test_choices(source)]
    except PydeeplabError as error:
        report.add_error("solver", error)
        return report
    for index, choice in enumerate(choices):
        role = "train" if not index else "test" if len(choices) == 2 else f"test {index - 1}"
        try:
            net = choice.read(defines)
            view = view_net(net, choice.phase, role=role, state=choice.state, level=level, stages=tuple(stages))
            view.iterations = choice.iterations
            views.append(view)
        except PydeeplabError as error:
            report.add_error("net", error, net=role)
    lists = _check_views(views, report, fast=fast, workers=workers, watch=watch)
    check_overlap(lists)
    _check_iterations(source.param, lists, report)
    if views and views[0].phase == TRAIN:
        _check_weights(views[0], weights, resumed, report)
        check_recipe(views[0], source.param, report, fine_tuned=weights is not None)
        _check_snapshots(source.param, views[0], report)
    if views:
        check_memory(views, report)
    return report.sort()


def check_net(
    net: str | os.PathLike[str] | NetSource,
    phase: int = TRAIN,
    *,
    weights: Weights | None = None,
    defines: Mapping[str, str] | None = None,
    level: int = 0,
    stages: Sequence[str] = (),
    fast: bool = False,
    workers: int | None = None,
    watch: Watch = unwatched,
) -> Report:
    """Check one net and the files that it reads; the parameters are those of `check_training`.

    Raises
    ------
    PydeeplabError
        The prototxt cannot be read.
    """
    report = Report()
    source = net if isinstance(net, NetSource) else read_net(net, defines=defines)
    try:
        view = view_net(source, phase, level=level, stages=tuple(stages))
    except PydeeplabError as error:
        report.add_error("net", error)
        return report
    _check_views([view], report, fast=fast, workers=workers, watch=watch)
    if phase == TRAIN or weights is not None:
        _check_weights(view, weights, False, report)
    if phase == TRAIN:
        check_recipe(view, None, report, fine_tuned=weights is not None)
    check_memory([view], report)
    return report.sort()


def _check_views(
    views: Sequence[NetView], report: Report, *, fast: bool, workers: int | None, watch: Watch
) -> list[Subject]:
    """Check what the nets read."""
    if workers is not None and workers < 1:
        raise UsageError(f"the number of workers must be at least 1, got {workers}")
    count = workers or max(1, get_data_workers())
    lists = []
    for view in views:
        for layer in view.data:
            if layer.param.type in LIST_LAYERS:
                check_crop(view, layer, report)
                checked = check_list(view, layer, report, fast=fast, workers=count, watch=watch)
                lists += [checked] if checked is not None else []
            else:
                _try_data_layer(view, layer.param, report)
    return lists


def _try_data_layer(view: NetView, param: Any, report: Report) -> None:
    """Other data layers: build the layer alone and have it make one batch."""
    index = next(i for i, layer in enumerate(view.source.param.layer) if layer.name == param.name)
    alone = type(view.source.param)()
    alone.layer.add().CopyFrom(param)
    try:
        Net.from_source(view.source.derived(alone, [index]), view.phase).forward()
    except PydeeplabError as error:
        report.add_error("data", error, net=view.role)
    else:
        text = f"layer '{param.name}' ({param.type}): its first batch can be read; the others were not looked at"
        report.add(NOTE, "data", text, net=view.role)


def _check_iterations(solver: Any, lists: Sequence[Subject], report: Report) -> None:
    """How often training sees each image, and whether a test sees each image once."""
    for checked in lists:
        view = checked.view
        batch, length = int(checked.layer.options.batch_size), len(checked.items)
        if view.phase == TRAIN:
            seen = int(solver.max_iter) * batch * int(solver.iter_size)
            report.facts["epochs"] = seen / length
            report.add(
                NOTE,
                "epochs",
                f"{solver.max_iter} steps of {batch * solver.iter_size} images are {seen / length:.1f} rounds through "
                f"the {length} images of '{checked.items.path}'",
                net=view.role,
            )
            continue
        seen = view.iterations * batch
        need = -(-length // batch)
        if seen < length:
            report.add(
                WARNING,
                "test_iter",
                f"a test sees {seen} of the {length} images of '{checked.items.path}' (test_iter {view.iterations} x "
                f"batch_size {batch})",
                f"Write test_iter: {need}.",
                net=view.role,
            )
        elif view.iterations > need or length % batch:
            report.add(
                WARNING if view.iterations > need else NOTE,
                "test_iter",
                f"a test sees {seen - length} of the {length} images of '{checked.items.path}' more than once "
                f"(test_iter {view.iterations} x batch_size {batch})",
                f"Write test_iter: {need}." if view.iterations > need else "Use a batch_size that divides the list.",
                net=view.role,
            )


def _check_weights(view: NetView, weights: Weights | None, resumed: bool, report: Report) -> None:
    if resumed:
        return
    loaded: LoadReport | None = None
    if weights is not None:
        try:
            loaded = view.net.copy_from(weights)
        except PydeeplabError as error:
            report.add_error("weights", error, net=view.role)
            return
    check_start(view, report, loaded)


def _check_snapshots(solver: Any, view: NetView, report: Report) -> None:
    """Whether snapshots can be written, and whether the disk holds them."""
    if not (solver.snapshot or solver.snapshot_after_train):
        return
    folder = Path(str(solver.snapshot_prefix)).parent
    existing = folder.absolute()
    while not existing.exists():
        existing = existing.parent
    if not existing.is_dir():
        report.add(ERROR, "snapshot", f"snapshots go to '{folder}', but '{existing}' is a file", "Move it.")
        return
    if not os.access(existing, os.W_OK | os.X_OK):
        report.add(
            ERROR,
            "snapshot",
            f"snapshots go to '{folder}', but '{existing}' is not writable",
            "Choose another snapshot_prefix, or change the folder's permissions.",
        )
        return
    if existing != folder.absolute():
        text = f"snapshots go to '{folder}', which does not exist; `pydeeplab train` makes it"
        report.add(NOTE, "snapshot", text)
    values = sum(param.blob.count for param in view.net.learnable_params)
    each = 4 * values * (3 if solver.type in ("Adam", "AdaDelta") else 2)
    count = int(solver.max_iter) // int(solver.snapshot) if solver.snapshot else 1
    free = shutil.disk_usage(existing).free
    if each * count > free:
        report.add(
            ERROR if each > free else WARNING,
            "snapshot",
            f"{counted(count, 'snapshot')} of {each / 2**20:.0f} MiB would not fit in '{folder}': "
            f"{free / 2**20:.0f} MiB are free",
            "Free some space, choose another snapshot_prefix, or a larger snapshot interval.",
        )

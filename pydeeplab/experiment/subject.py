"""An experiment in a work folder: its data, prototxts, weights and results."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from pydeeplab.crf import CRFParameters
from pydeeplab.data.classes import class_set
from pydeeplab.data.lists import read_lines
from pydeeplab.errors import UsageError
from pydeeplab.experiment.config import Config, Shrink
from pydeeplab.experiment.layout import layout_of
from pydeeplab.experiment.scores import AFTER, BEFORE, Comparison, comparisons, read_scores, read_search
from pydeeplab.experiment.spec import Experiment
from pydeeplab.experiment.variables import variables_of
from pydeeplab.networks.datasets import DATASETS

__all__ = ["Subject", "Workspace"]


@dataclass(frozen=True)
class Workspace:
    """Where and with what experiments are run.

    Attributes
    ----------
    folder
        The work folder: results go to ``<EXP>/`` in it, and commands are run in it.
    root
        The devkit; or, where ``<EXP>/list`` is filled already, ``DATA_ROOT``, which the lists' paths continue.
    init
        The weights that training starts from, or a folder of weight files.
    scores
        Write the scores of all test images with MatWrite, and refine these, as DeepLab's scripts do. They are large.
    variables
        Values for ``${NAME}``, which come before those of the experiment's file.
    shrink
        See `Config`; data that nobody can have any more are made up then.
    prepare, search
        Further arguments of ``pydeeplab prepare`` and ``pydeeplab crf-search``.
    """

    folder: Path
    root: Path | None = None
    init: Path | None = None
    scores: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)
    shrink: Shrink | None = None
    prepare: tuple[str, ...] = ()
    search: tuple[str, ...] = ()


class Subject:
    """What the stages of an experiment are about. Its paths are relative to the work folder.

    Ask it with the work folder as working folder.
    """

    def __init__(self, experiment: Experiment, workspace: Workspace):
        self.experiment, self.workspace = experiment, workspace
        self.layout = layout_of(experiment)

    # Data ------------------------------------------------------------------------------------------------------------

    @property
    def classes(self) -> str:
        """The class set's name or file, as commands take it."""
        data = self.experiment.data
        if data.classes:
            beside = self.experiment.path.parent / data.classes
            return str(beside) if beside.is_file() else data.classes
        if any(d.folder == data.dataset for d in DATASETS):
            return data.dataset
        return f"{self.layout.exp}/classes.txt"

    def class_count(self) -> int | None:
        """The number of classes, where it is known yet."""
        try:
            return len(class_set(self.classes))
        except UsageError:
            return None

    @property
    def sets(self) -> list[str]:
        """The lists that are read."""
        data = self.experiment.data
        return list(dict.fromkeys(s for s in (data.train, data.train2, data.test) if s))

    @property
    def test_list(self) -> Path:
        """The list of test images."""
        return self.layout.list(self.layout.test_set)

    @property
    def data_root(self) -> str:
        """``DATA_ROOT``: what was prepared; or the workspace's root where lists were there before.

        It ends with a slash if the lists' paths do not begin with one.
        """
        prepared, root = Path(self.layout.exp, "data"), self.workspace.root
        lists = [self.layout.list(name) for name in self.sets]
        given = all(path.is_file() for path in lists) or bool(self.experiment.data.lists)
        chosen = str(root) if root is not None and given and not prepared.is_dir() else prepared.as_posix()
        first = next((read_lines(path)[0][1] for path in lists if path.is_file()), "/")
        return chosen if first.startswith("/") else f"{chosen.rstrip('/')}/"

    def test_names(self) -> list[str]:
        """The names of the test images; none before there is a list."""
        if not self.test_list.is_file():
            return []
        return [Path(line.split()[0]).stem for _, line in read_lines(self.test_list)]

    # Nets and weights ------------------------------------------------------------------------------------------------

    @cached_property
    def config(self) -> Config:
        """The prototxts of the stage of training whose net is tested."""
        variables = variables_of(self.experiment, self.layout, self.class_count(), self.data_root)
        given, folder = self.workspace.variables, self.workspace.folder
        return Config(self.experiment, self.layout, {**variables, **given}, folder, self.workspace.shrink)

    def config_of(self, stage: str) -> Config:
        """The prototxts of a stage of training, ``train`` or ``train2``."""
        return self.config.first_stage() if stage == "train" and self.layout.stage_2 else self.config

    def texts(self) -> dict[Path, str]:
        """The prototxts that are written before anything runs, by path."""
        first = self.config_of("train").texts() if self.layout.stage_2 else {}
        return {**first, **self.config.texts(scores=self.workspace.scores)}

    def released(self, stage: str) -> Path | None:
        """Weights that are used as they are in place of training: ``test.caffemodel`` or ``test2.caffemodel``."""
        path = self.layout.model / {"train": "test.caffemodel", "train2": "test2.caffemodel"}[stage]
        return path if path.is_file() else None

    def trained(self, stage: str) -> Path:
        """The weights that a stage of training leaves."""
        config = self.config_of(stage)
        last = Path(f"{config.layout.prefix}_iter_{config.solver().max_iter}.caffemodel")
        return self.released(stage) or last

    @cached_property
    def weights(self) -> Path:
        """The weights that are tested."""
        return self.trained("train2" if self.layout.stage_2 else "train")

    # Results ---------------------------------------------------------------------------------------------------------

    @property
    def search_result(self) -> Path:
        """Where the best CRF parameters stand."""
        by = self.experiment.searched_by
        return (layout_of(by) if by else self.layout).results / "crf_search" / "best.json"

    def crf(self) -> CRFParameters | None:
        """The CRF's parameters; None before they are found, and for experiments without a CRF."""
        crf = self.experiment.crf
        if crf is None:
            return None
        return CRFParameters.parse(crf.params) if crf.params else read_search(self.search_result)

    def label_folders(self) -> dict[str, Path]:
        """The folders of label maps, before and (where there is a CRF and its parameters are known) after the CRF."""
        crf = self.crf()
        before = {BEFORE: self.layout.labels(None)}
        return before if crf is None else {**before, AFTER: self.layout.labels(crf)}

    def result(self, ending: str) -> Path:
        """A file of this experiment's results: ``<name><ending>``."""
        return self.layout.results / f"{self.experiment.slug}{ending}"

    def numbers(self) -> list[Comparison]:
        """Ours beside the paper's."""
        return comparisons(self.experiment.expected, read_scores(self.result("_scores.json")))

    def settings(self) -> dict[str, str]:
        """How it is made, for people."""
        experiment = self.experiment
        data, crf, paper = experiment.data, self.crf(), experiment.expected
        shrunk = self.workspace.shrink is not None
        searched = " (found by search)" if experiment.crf is not None and not experiment.crf.params else ""
        return {
            "only tried out": "drawn pictures, few channels, two steps: the numbers mean nothing" if shrunk else "",
            "net": experiment.net.name,
            "trained on": f"{data.dataset} {data.train}" + (f", then {data.train2}" if data.train2 else ""),
            "tested on": f"{data.dataset} {data.test}",
            "training starts from": experiment.init.about or experiment.init.weights,
            "weights": os.fspath(self.weights),
            "CRF": "none" if experiment.crf is None else f"{crf}{searched}" if crf else "to be found by search",
            "note": experiment.note,
            "the paper's numbers": "" if paper.before_crf is paper.after_crf is None else paper.note,
        }

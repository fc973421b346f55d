"""Where the files of an experiment lie: the folders of DeepLab's own scripts, below ``<EXP>/``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from pydeeplab.crf import CRFParameters
from pydeeplab.experiment.spec import Experiment
from pydeeplab.networks.datasets import DATASETS

__all__ = ["Layout", "layout_of"]

_DEVKITS = {"voc12": "VOC2012", "pascal_context": "VOC2010", "voc10_part": "VOC2010"}
"""The devkit's name, which is in the path of results, by EXP."""


@dataclass(frozen=True)
class Layout:
    """Paths relative to the work folder, in which the commands are run.

    Attributes
    ----------
    exp, net_id
        DeepLab's ``EXP`` and ``NET_ID``.
    train_set, test_set
        Names of the lists.
    stage_2
        Whether the tested net was trained in the second stage; its results have folders of their own.
    scores
        Folder of the scores below the features: ``fc8`` of a VGG-16, ``fc1`` of a ResNet-101.
    """

    exp: str
    net_id: str
    train_set: str
    test_set: str
    stage_2: bool = False
    scores: str = "fc8"

    def list(self, name: str) -> Path:
        """The list of images and label maps of a set."""
        return Path(self.exp, "list", f"{name}.txt")

    def ids(self, name: str) -> Path:
        """The list of names of a set, which MatWrite calls its files after."""
        return Path(self.exp, "list", f"{name}_id.txt")

    def config(self, name: str) -> Path:
        """A prototxt of the net."""
        return Path(self.exp, "config", self.net_id, f"{name}.prototxt")

    @property
    def model(self) -> Path:
        """The folder of weights."""
        return Path(self.exp, "model", self.net_id)

    @property
    def log(self) -> Path:
        """The folder of logs."""
        return Path(self.exp, "log", self.net_id)

    @property
    def marks(self) -> Path:
        """The folder of what tells which stages are done."""
        return self.log / "stages"

    @property
    def prefix(self) -> Path:
        """The snapshots' prefix of the stage whose net is tested."""
        return self.model / ("train2" if self.stage_2 else "train")

    @property
    def _features(self) -> str:
        return "features2" if self.stage_2 else "features"

    @property
    def feature_dir(self) -> Path:
        """``FEATURE_DIR``: the folder of score files."""
        return Path(self.exp, self._features, self.net_id)

    @property
    def score_files(self) -> Path:
        """The folder of MatWrite's files of the test set."""
        return self.feature_dir / self.test_set / self.scores

    @property
    def results(self) -> Path:
        """The folder of all results on the test set."""
        return Path(self.exp, "res", self._features, self.net_id, self.test_set, self.scores)

    def post_folder(self, crf: CRFParameters | None) -> Path:
        """The folder of results with certain CRF parameters, or without the CRF."""
        return self.results / ("none" if crf is None else post_name(crf))

    def labels(self, crf: CRFParameters | None) -> Path:
        """The folder of label maps, ``<id>.png``, within `post_folder`."""
        devkit = _DEVKITS.get(self.exp, self.exp)
        return self.post_folder(crf) / "results" / devkit / "Segmentation" / f"comp6_{self.test_set}_cls"


def post_name(crf: CRFParameters) -> str:
    """The folder name that DeepLab's scripts make of parameters; what their names cannot say is added.

    Examples
    --------
    >>> post_name(CRFParameters.parse("voc12-largefov"))
    'post_densecrf_W4_XStd121_RStd5_PosW3_PosXStd3'
    """
    lists = (crf.bi_w, crf.bi_xy_std, crf.bi_rgb_std, crf.pos_w, crf.pos_xy_std)
    words = ("_".join(f"{v:g}" for v in values) or "none" for values in lists)
    names = ("W", "XStd", "RStd", "PosW", "PosXStd")
    name = "post_densecrf_" + "_".join(f"{n}{w}" for n, w in zip(names, words, strict=True))
    standard = CRFParameters()
    if crf.iterations != standard.iterations:
        name += f"_Iter{crf.iterations}"
    if crf.normalization != standard.normalization:
        name += f"_{crf.normalization}"
    return name if crf.min_probability == standard.min_probability else f"{name}_MinP{crf.min_probability:g}"


def exp_of(experiment: Experiment) -> str:
    """``EXP``: what the file says, or the data set's own."""
    known = {d.folder: d.exp for d in DATASETS}
    return experiment.data.exp or known.get(experiment.data.dataset, experiment.data.dataset)


def layout_of(experiment: Experiment) -> Layout:
    """The layout of an experiment; one with a base uses the folders of its base."""
    trainer = experiment.base or experiment.name
    net_id = experiment.net.net_id or re.sub(r"[^\w.-]", "_", trainer.removesuffix(".toml").lstrip("./"))
    return Layout(
        exp_of(experiment),
        net_id,
        experiment.data.train2 or experiment.data.train,
        experiment.data.test,
        experiment.stage_2,
        "fc1" if "resnet" in experiment.net.name else "fc8",
    )

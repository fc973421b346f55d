"""What an experiment is: one row of a table, as a file declares it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["CrfChoice", "DataChoice", "Expected", "Experiment", "Init", "NetChoice"]


@dataclass(frozen=True)
class NetChoice:
    """Which net.

    Attributes
    ----------
    name
        A net that comes with pydeeplab (``voc12/vgg16_aspp_l``), or a folder with ``train``, ``test`` and ``solver``
        prototxts, which may be templates with ``${...}``.
    net_id
        DeepLab's ``NET_ID``: the folder's name below config/, model/, log/, features/ and res/. By default made of the
        experiment's name.
    batch_size
        Images of a training batch, where it differs from the prototxt's.
    augment
        Whether training images are scaled at random by 0.5 to 1.5; as in the prototxt where it is not said.
    input_scale
        1, or 0.5 for a net that sees its images at half size, in training and in testing.
    tile
        Largest side in pixels of what is segmented at once; larger images are cut into overlapping tiles.
    output
        Blob with the scores of a net of one's own.
    """

    name: str
    net_id: str = ""
    batch_size: int | None = None
    augment: bool | None = None
    input_scale: float = 1.0
    tile: int | None = None
    output: str = ""


@dataclass(frozen=True)
class Init:
    """What training starts from: the name of a weight file and what it is.

    ``copy`` gives layers that the file lacks the parameters of others: ``{"fc6": ("fc6_1", "fc6_2")}``.
    """

    weights: str = ""
    about: str = ""
    copy: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class DataChoice:
    """Which images.

    Attributes
    ----------
    dataset
        ``voc12``, ``pascal_context``, ``person_part``, ``cityscapes``, or a name of one's own.
    train, train2, test
        Lists: ``train_aug``, and for the second stage, if there is one, ``trainval_aug``; ``val`` or ``test``.
    exp
        DeepLab's ``EXP``: the folder of all results, and what the classifier is named after. The data set's own.
    lists
        Folder with ``<set>.txt`` files, for data sets that `pydeeplab prepare` does not know: beside the experiment's
        file, or below ``${DATA_ROOT}``, which is the workspace's root.
    classes
        Names of the classes: a known set, or a file; the data set's own.
    truth
        Whether the label maps of ``test`` are public.
    unavailable
        Why nobody can have these data any more; empty where they can.
    """

    dataset: str
    train: str = "train"
    train2: str = ""
    test: str = "val"
    exp: str = ""
    lists: str = ""
    classes: str = ""
    truth: bool = True
    unavailable: str = ""


@dataclass(frozen=True)
class CrfChoice:
    """The CRF after the net: parameters as `CRFParameters.parse` reads them, or found by cross-validation.

    ``found_by`` names another experiment, whose search counts.

    ``search_images`` of the test set are drawn for the search, 100 in the paper; ``grid`` is its first round where
    that is not the paper's: ``w1``, ``sigma_alpha`` and ``sigma_beta``, each as `pydeeplab crf-search` takes it
    (``"30:10:100"``).
    """

    params: str = ""
    search: bool = False
    found_by: str = ""
    search_images: int = 100
    grid: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Expected:
    """What the paper reports: mean IoU in per cent before and after the CRF, and where: table and row from 1."""

    table: int | None = None
    row: int | None = None
    before_crf: float | None = None
    after_crf: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Experiment:
    """A row of a table: net, data, start, solver, CRF, and what the paper got.

    Attributes
    ----------
    name
        ``table4/msc_coco``: the file's folder and stem.
    path
        The file that declares it.
    base
        The experiment whose trained net this one scores; empty for one that trains its own.
    searched_by
        Another experiment, which finds the CRF's parameters; None where they are declared, or searched for here.
    solver, solver2
        Fields of the net's ``solver.prototxt`` (``solver2``: of the second stage's) that are different.
    variables
        Values for further ``${NAME}`` placeholders in templates of one's own.
    """

    name: str
    path: Path
    title: str
    net: NetChoice
    data: DataChoice
    init: Init = field(default_factory=Init)
    solver: Mapping[str, Any] = field(default_factory=dict)
    solver2: Mapping[str, Any] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    crf: CrfChoice | None = None
    expected: Expected = field(default_factory=Expected)
    base: str = ""
    searched_by: Experiment | None = None
    note: str = ""

    @property
    def slug(self) -> str:
        """The name as a file name."""
        return self.name.replace("/", "_")

    @property
    def stage_2(self) -> bool:
        """Whether the net that is tested is the second stage's."""
        return bool(self.data.train2)

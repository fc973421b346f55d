"""Writing the files of prototxt/, and checking that they are what would be written."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from pydeeplab.files import write_if_changed
from pydeeplab.networks.assemble import KINDS, build
from pydeeplab.networks.camvid import small_files
from pydeeplab.networks.catalog import NETWORKS
from pydeeplab.networks.datasets import CAMVID, DATASETS, MEAN_BGR, Dataset
from pydeeplab.networks.network import Network
from pydeeplab.networks.readme import readme
from pydeeplab.networks.solvers import solver_text

__all__ = ["all_files", "differences", "write_all"]

MARK = "Written by `python -m pydeeplab.networks`; do not edit."
WHAT = {
    "train": "The net for training.",
    "test": "The net for testing on a list of images.",
    "deploy": "The net for images of one's own.",
    "solver": "Settings for training, first stage.",
    "solver2": "Settings for training, second stage.",
}


def _heading(network: Network, dataset: Dataset, kind: str, *use: str) -> list[str]:
    source = (
        network.source if "et al." in network.source else f'Chen et al., "DeepLab", arXiv:1606.00915, {network.source}'
    )
    return [
        f"{network.title} for {dataset.title} ({dataset.classes} classes: {dataset.content}).",
        WHAT[kind],
        f"Source: {source}.",
        *use,
        MARK,
    ]


def _use(network: Network, dataset: Dataset, kind: str) -> list[str]:
    root = "--define DATA_ROOT=FOLDER (the lists' paths continue it)"
    if kind == "train":
        return [f"Use: {root}, --define TRAIN_SET={dataset.stage_1}, weights: {network.weights}."]
    if kind == "test":
        features = ", --define FEATURE_DIR=FOLDER (scores are written there)" if network.vgg else ""
        return [f"Use: {root}, --define TEST_SET=val{features}."]
    scores = "fc_fusion" if network.side_heads else "fc8_interp" if network.vgg else "fc1_interp"
    scores = "fc8_crop" if network.kernel_2 else scores
    mean = ", ".join(map(str, MEAN_BGR))
    size = "32k+1 (8k+1 at each scale)" if network.multi_scale else "8k+1"
    return [
        f"Use: blob data holds BGR values of 0..255 less {mean}, {size} high and wide; blob {scores} gets the scores."
    ]


def _solvers(network: Network, dataset: Dataset) -> dict[str, str]:
    stages = [("solver", "train", dataset.stage_1)]
    if dataset.stage_2:
        stages.append(("solver2", "train2", dataset.stage_2))
    texts = {}
    for (kind, prefix, train_set), settings in zip(stages, network.solver_settings(dataset), strict=False):
        weights = network.weights if kind == "solver" else "the first stage's result"
        use = f"Use: --define TRAIN_SET={train_set}, --define DATA_ROOT=FOLDER, weights: {weights}."
        texts[kind] = solver_text(
            settings,
            train_net="train.prototxt",
            snapshot_prefix=f"{dataset.exp}/model/{network.folder}/{prefix}",
            heading=_heading(network, dataset, kind, use),
        )
    return texts


@cache
def all_files() -> Mapping[str, str]:
    """The text of every file, by its path below prototxt/."""
    files = {"README.md": readme(), **small_files()}
    for dataset in DATASETS:
        for network in NETWORKS:
            if not network.exists_for(dataset):
                continue
            folder = f"{dataset.folder}/{network.folder}"
            for kind in KINDS:
                heading = _heading(network, dataset, kind, *_use(network, dataset, kind))
                files[f"{folder}/{kind}.prototxt"] = build(network, dataset, kind).text(heading)
            files.update({f"{folder}/{kind}.prototxt": text for kind, text in _solvers(network, dataset).items()})
    return files


def write_all(folder: Path) -> list[str]:
    """Write every file that is missing or different; returns their paths below ``folder``."""
    return [name for name, text in all_files().items() if write_if_changed(folder / name, text)]


def differences(folder: Path) -> list[str]:
    """What in ``folder`` is not as it would be written, one line each; empty when all is well."""
    expected = all_files()
    found = []
    for name, text in expected.items():
        path = folder / name
        if not path.is_file():
            found.append(f"{name} is missing")
        elif path.read_bytes() != text.encode():
            found.append(f"{name} differs")
    for dataset in (*DATASETS, CAMVID):
        strays = {p.relative_to(folder).as_posix() for p in (folder / dataset.folder).rglob("*.prototxt")} - set(
            expected
        )
        found += [f"{name} is not one of the generator's" for name in sorted(strays)]
    return found

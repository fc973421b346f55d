"""Where predicted label maps come from: files, or a net."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pydeeplab.data.classes import ClassSet
from pydeeplab.data.images import read_image, read_label
from pydeeplab.errors import DataError
from pydeeplab.evaluation.pictures import Picture, find_file
from pydeeplab.segmentation import Segmenter

__all__ = ["FilePredictor", "NetPredictor"]


class FilePredictor:
    """Label maps in folders, one folder for each variant.

    Parameters
    ----------
    folders : mapping of variant to folder
    classes : ClassSet
        Its palette explains RGB files.
    """

    def __init__(self, folders: Mapping[str, Path], classes: ClassSet):
        self.folders, self.classes = dict(folders), classes
        self.variants: Sequence[str] = list(folders)

    def find(self, picture: Picture) -> Picture:
        """The picture with its predicted files."""
        predicted = {v: find_file(folder, picture.name) for v, folder in self.folders.items()}
        return Picture(picture.name, picture.truth, picture.image, predicted)

    def predict(self, picture: Picture) -> dict[str, NDArray[Any]]:
        """Read the label maps."""
        files = picture.predicted or self.find(picture).predicted
        return {variant: read_label(file, self.classes.palette) for variant, file in files.items()}


class NetPredictor:
    """A net, and where ``crf`` is among its options the CRF after it as a second variant.

    Parameters
    ----------
    options : mapping
        Arguments of `Segmenter`. It is made when first needed, once in each process: this object can be sent to others.
    """

    def __init__(self, options: Mapping[str, Any]):
        self.options = dict(options)
        self.variants: Sequence[str] = ["net", "net and CRF"] if options.get("crf") else ["net"]
        self._segmenter: Segmenter | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_segmenter": None}

    @property
    def segmenter(self) -> Segmenter:
        """This process's segmenter."""
        if self._segmenter is None:
            self._segmenter = Segmenter(**self.options)
        return self._segmenter

    def predict(self, picture: Picture) -> dict[str, NDArray[Any]]:
        """Segment the picture."""
        image = _read(picture)
        if len(self.variants) == 1:
            return {"net": self.segmenter(image, probabilities=False).labels}
        before, after = self.segmenter.before_and_after(image, probabilities=False)
        return {"net": before.labels, "net and CRF": after.labels}

    def iterations(self, picture: Picture, index: int) -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]]:
        """Score and belief maps of a class before and after each mean-field iteration.

        Returns
        -------
        scores : list of (H, W) float32
            The class's logarithm of probability less the mean of those of all classes: the scores as a softmax sees
            them, without what is common to all classes of a pixel.
        beliefs : list of (H, W) float32
            Its probability.
        """
        scores: list[NDArray[np.float32]] = []
        beliefs: list[NDArray[np.float32]] = []

        def keep(_: int, q: NDArray[Any]) -> None:
            logs = np.log(np.maximum(q, np.finfo(np.float32).tiny))
            scores.append(logs[index] - logs.mean(axis=0))
            beliefs.append(q[index].copy())

        self.segmenter.before_and_after(_read(picture), probabilities=False, callback=keep)
        return scores, beliefs


def _read(picture: Picture) -> NDArray[np.uint8]:
    if picture.image is None:
        raise DataError(f"picture '{picture.name}' has a label map, but no image: give a list of both, or --images DIR")
    return read_image(picture.image)

"""Choosing pictures whose mean-field iterations are worth a look, and making their maps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pydeeplab.data.images import read_image, read_label
from pydeeplab.errors import PydeeplabError, UsageError
from pydeeplab.evaluation.predictors import NetPredictor
from pydeeplab.evaluation.report import MeanFieldMaps
from pydeeplab.evaluation.scoring import Evaluation

__all__ = ["mean_field_maps"]


def mean_field_maps(
    evaluation: Evaluation, net: NetPredictor, count: int, *, complain: Callable[[str], object]
) -> list[MeanFieldMaps]:
    """Maps of the pictures that the CRF changes most, of the most frequent class beside the background.

    ``complain`` hears why a picture has no maps.
    """
    first, last = evaluation.variants[0], evaluation.variants[-1]
    changed = sorted(evaluation.scores, key=lambda s: -abs(np.nan_to_num(s.mean_iou(last) - s.mean_iou(first))))
    maps = []
    for score in changed[:count]:
        truth = read_label(score.picture.truth, evaluation.rules.classes.palette)
        pixels = np.bincount(truth[truth < evaluation.rules.count].ravel(), minlength=evaluation.rules.count)
        pixels[[i for i in evaluation.rules.ignore if i < len(pixels)]] = 0
        background = evaluation.rules.classes.background
        if background is not None and np.delete(pixels, background).any():
            pixels[background] = 0
        index = int(pixels.argmax())
        try:
            image = read_image(score.picture.image or "")
            scores, beliefs = net.iterations(score.picture, index)
        except UsageError:
            raise
        except PydeeplabError as error:
            complain(f"no maps of {score.picture.name}: {error}")
            continue
        maps.append(MeanFieldMaps(score.picture.name, evaluation.names()[index], image, truth, scores, beliefs))
    return maps

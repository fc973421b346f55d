"""Scoring label maps against the truth."""

from pydeeplab.evaluation.confusion import ConfusionMatrix
from pydeeplab.evaluation.trimap import Trimap, border_distance

__all__ = ["ConfusionMatrix", "Trimap", "border_distance"]

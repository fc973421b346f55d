"""Scoring label maps against the truth."""

from pydeeplab.evaluation.confusion import ConfusionMatrix

__all__ = ["ConfusionMatrix"]

"""Notices training that has gone wrong, and says what the likely causes are."""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from pydeeplab.errors import PydeeplabError
from pydeeplab.net import Net

__all__ = ["SATURATED", "DivergedError", "Watch"]

SATURATED = -math.log(float(np.finfo(np.float32).tiny))
"""87.3365: the cross entropy of a probability that is 0, which Caffe's softmax loss takes for the smallest float."""


class DivergedError(PydeeplabError, RuntimeError):
    """Training cannot go on: the loss is no number."""


class Watch:
    """Looks at the loss of every iteration.

    Parameters
    ----------
    net : Net
        The net that is trained; looked into only when something is wrong.
    strict : bool
        Raise when the loss is no longer a number.
    patience : int
        How many iterations the loss must be stuck before that is worth a word.
    """

    def __init__(self, net: Net, *, strict: bool = False, patience: int = 50):
        self._net = net
        self._strict = strict
        self._patience = patience
        self._recent: deque[float] = deque(maxlen=patience)
        self._said: set[str] = set()
        self._first: float | None = None
        self._learnt = False

    def look(self, loss: float) -> str | None:
        """Take in a loss; returns an explanation the first time that something is wrong.

        Raises
        ------
        DivergedError
            Only if strict: the loss is NaN or infinite; parameters have not yet been changed by it.
        """
        if not math.isfinite(loss):
            if self._strict:
                raise DivergedError(self._explain_nan(loss))
            return None if "nan" in self._said else self._once("nan", self._explain_nan(loss))
        self._recent.append(loss)
        if self._first is None:
            self._first = loss
        self._learnt |= abs(loss) < 0.1 * abs(self._first)
        last = list(self._recent)
        if len(last) >= 5 and all(abs(value - SATURATED) < 0.01 for value in last[-5:]):
            return self._once("saturated", self._explain_saturated())
        if len(last) == self._patience and not self._learnt and max(last) - min(last) <= 1e-6 * abs(max(last)):
            return self._once("constant", self._explain_constant(last[-1]))
        return None

    def _once(self, kind: str, text: str) -> str | None:
        if kind in self._said:
            return None
        self._said.add(kind)
        return text

    def _explain_nan(self, loss: float) -> str:
        return (
            f"the loss is {loss}. {self._first_nonfinite()} Most often the learning rate is too high: try a tenth of "
            "base_lr, or clip_gradients. Other causes: weights that were not loaded (all zero or random in a deep "
            "net), inputs or labels that are no numbers, a division by zero in a layer of your own. Snapshots that "
            "were written before are still good."
        )

    def _first_nonfinite(self) -> str:
        bad = [p for p in self._net.learnable_params if not np.isfinite(p.blob.look()).all()]
        if bad:
            names = list(dict.fromkeys(p.layer.name for p in bad))
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            return f"Parameters of layer '{names[0]}'{more} are no longer numbers: an earlier update was too large."
        for node in self._net.nodes:
            for name, blob in zip(node.top_names, node.tops, strict=True):
                if blob.data_storage.capacity and not np.isfinite(blob.look()).all():
                    return f"The first blob that holds NaN or infinity is '{name}' of layer '{node.name}'."
        return ""

    def _explain_saturated(self) -> str:
        return (
            f"the loss stays at {SATURATED:.4f} = -log(smallest float): the net gives the true class the probability "
            "0 everywhere. The scores have overflowed: the learning rate is too high (try a tenth of base_lr), "
            f"weights were not loaded, or labels lie outside the classes.{self._blank_layers()}"
        )

    def _explain_constant(self, loss: float) -> str:
        causes = [self._blank_layers()]
        if not any(p.lr_mult for p in self._net.learnable_params):
            causes.append(" Every lr_mult is 0, so nothing is learnt.")
        elif not any(p.blob.look_diff().any() for p in self._net.learnable_params if p.lr_mult):
            causes.append(" All updates are 0: no gradient reaches a parameter.")
        guess = round(math.exp(loss)) if 0 < loss < 10 else 0
        if guess > 1 and abs(math.log(guess) - loss) < 1e-4:
            causes.append(f" It equals log({guess}): all {guess} classes get the same probability.")
        advice = " Check base_lr, the labels (all ignored?) and the weights."
        return f"the loss has been {loss:g} for {self._patience} iterations.{''.join(causes)}{advice}"

    def _blank_layers(self) -> str:
        blank = [n for n, blobs in self._net.params.items() if len(blobs[0].shape) > 1 and not blobs[0].look().any()]
        if not blank:
            return ""
        names = ", ".join(blank[:5]) + (f" and {len(blank) - 5} more" if len(blank) > 5 else "")
        return f" Weights that are all zero (neither loaded nor filled): {names}."

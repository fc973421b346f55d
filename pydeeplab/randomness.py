"""Where nets get their random generators from."""

from __future__ import annotations

import numpy as np

from pydeeplab.data.twister import Twister

__all__ = ["data_seeds", "new_generator", "set_random_seed"]

_sequence = np.random.SeedSequence()
_data_seeds = Twister(int(_sequence.generate_state(1)[0]))


def set_random_seed(seed: int) -> None:
    """Make all nets built from now on draw the same fillers, masks and crops in every run.

    Data layers draw what Caffe's draw for the same ``random_seed``, up to the first layer of the process whose filler
    draws numbers in Caffe (so: those of a solver's training net). Fillers and masks are drawn by other generators.

    Parameters
    ----------
    seed : int
        0 or more; Caffe uses its lowest 32 bits.
    """
    global _sequence, _data_seeds
    _sequence = np.random.SeedSequence(seed)
    _data_seeds = Twister(seed % 2**32)


def new_generator() -> np.random.Generator:
    """An independent generator, determined by the last `set_random_seed` and the number of calls since."""
    return np.random.Generator(np.random.Philox(_sequence.spawn(1)[0]))


def data_seeds() -> Twister:
    """Caffe's global generator as data layers see it: each takes its seeds from it when it is built."""
    return _data_seeds

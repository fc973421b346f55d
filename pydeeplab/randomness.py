"""Where nets get their random generators from."""

from __future__ import annotations

import numpy as np

__all__ = ["new_generator", "set_random_seed"]

_sequence = np.random.SeedSequence()


def set_random_seed(seed: int) -> None:
    """Make all nets built from now on draw the same fillers, masks and crops in every run."""
    global _sequence
    _sequence = np.random.SeedSequence(seed)


def new_generator() -> np.random.Generator:
    """An independent generator, determined by the last `set_random_seed` and the number of calls since."""
    return np.random.Generator(np.random.Philox(_sequence.spawn(1)[0]))

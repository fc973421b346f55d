"""What the tests of the search share: pictures whose best parameters are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from pydeeplab.crf import CRFParameters, DenseCRF
from pydeeplab.crf_search import Grid, Sample, Search, Setting, search
from pydeeplab.data import write_label_png
from pydeeplab.data.palette import write_png
from tests.crf.support import picture

FIXED = CRFParameters(iterations=4)
SETTING = Setting(4, params=FIXED)
SMALL = Grid((2, 4), (8, 16), (4, 8))


def write_samples(folder: Path, planted: tuple[float, float, float], count: int = 3) -> list[Sample]:
    """Pictures whose truth is what the CRF makes of their noisy scores with the planted parameters."""
    samples = []
    w, xy, rgb = planted
    crf = DenseCRF(replace(FIXED, bi_w=(w,), bi_xy_std=(xy,), bi_rgb_std=(rgb,)))
    for seed in range(count):
        image, _, scores = picture(30, 41, seed=seed)
        image = np.clip(image + np.random.default_rng(seed).normal(0, 5, image.shape), 0, 255).astype(np.uint8)
        truth = crf.refine(image, scores).argmax(axis=0)
        sample = Sample(f"p{seed}", *(folder / f"p{seed}{end}" for end in (".png", ".npy", "_truth.png")))
        write_png(sample.image, image)
        np.save(sample.scores, scores)
        write_label_png(sample.truth, truth)
        samples.append(sample)
    return samples


def run(samples: list[Sample], folder: Path, grid: Grid = SMALL, **options: object) -> Search:
    """Search, with results in a folder."""
    return search(samples, SETTING, str(folder / "results.jsonl"), grid, **options)

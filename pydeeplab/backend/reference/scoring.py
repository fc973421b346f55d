"""Counting pairs of labels: what a confusion matrix of label maps is made of."""

import numpy as np


def count_pairs(truth, predicted, bin, ignore, counts, bad):
    bins, classes = counts.shape[:2]
    where = np.zeros_like(truth) if bin is None else bin
    used = ~np.isin(truth, ignore) & (where >= 0) & (where < bins)
    wrong = used & ((truth < 0) | (truth >= classes) | (predicted < 0) | (predicted >= classes))
    bad[0] = np.argmax(wrong) if wrong.any() else -1
    used &= ~wrong
    np.add.at(counts, (where[used], truth[used], predicted[used]), 1)

"""From scores to labels: the winning channel and the confusion matrix."""

import numpy as np


def classify(label, channels, ignore):
    """Return the labels as integers, which of them are to be used, and the flat index of the first bad one or -1."""
    usable = (label > -(2.0**31)) & (label < 2.0**31)
    classes = np.where(usable, label, -(2.0**31)).astype(np.int64)
    ignored = np.isin(classes, ignore)
    valid = ~ignored & (classes >= 0) & (classes < channels)
    bad = ~ignored & ~valid
    return classes, valid, int(np.argmax(bad)) if bad.any() else -1


def winners(x):
    """The index of the largest channel, the last of those that tie."""
    ranked = np.where(np.isnan(x), -np.inf, x)
    last = x.shape[1] - 1 - np.argmax(ranked[:, ::-1], axis=1)
    return np.where(np.isnan(x).all(axis=1), 0, last)


def argmax_channels(x, y, value):
    best = winners(x)
    y[...] = np.take_along_axis(x, best[:, None], axis=1)[:, 0] if value else best


def confusion_matrix(score, label, ignore, confusion, bad):
    classes, valid, bad[0] = classify(label, score.shape[1], ignore)
    np.add.at(confusion, (classes[valid], winners(score)[valid]), 1)

"""Counting pairs of labels: what a confusion matrix of label maps is made of."""

from pydeeplab.backend.spec import kernel

KERNELS = [
    kernel(
        "count_pairs",
        "in truth[S]:int32, in predicted[S]:int32, in? bin[S]:int32, in ignore[K]:int32, inout counts[B,C,C]:int64, "
        "out bad[one]:int64",
        source="VOC devkit VOCevalseg: counts[bin, truth, predicted] += 1 except where truth is in ignore or bin (0 "
        "without) is not in 0..B-1; bad = index of the first pixel, not so excepted, with a label that is not in "
        "0..C-1 (not counted), or -1",
        tolerance=0,
    ),
]

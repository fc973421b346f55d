"""From scores to labels: the winning channel and the confusion matrix.

Where channels tie, the larger index wins, as in Caffe's ArgMax and DeepLab's SegAccuracy; NaN never wins.
"""

from pydeeplab.backend.spec import kernel

KERNELS = [
    kernel(
        "argmax_channels",
        "in x[N,C,S], out y[N,S], bool value",
        source="Caffe ArgMax with an axis and top_k 1: the winning channel's index, or its value",
        tolerance=0,
    ),
    kernel(
        "confusion_matrix",
        "in score[N,C,S], in label[N,S], in ignore[K]:int32, inout confusion[C,C]:int64, out bad[one]:int64",
        source="DeepLab SegAccuracy: confusion[label, winning channel] += 1 except where label is in ignore; "
        "bad = index of the first label that is neither ignored nor in 0..C-1 (not counted), or -1",
        tolerance=0,
    ),
]

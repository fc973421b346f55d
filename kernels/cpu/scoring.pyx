"""Counting pairs of labels: what a confusion matrix of label maps is made of."""

from libc.stdint cimport int32_t, int64_t

cdef extern from "scoring_counts.h" nogil:
    ptrdiff_t c_count_pairs "count_pairs"(
        const int32_t *truth, const int32_t *predicted, const int32_t *bin, const int32_t *ignore, int64_t *counts,
        ptrdiff_t pixels, ptrdiff_t ignored, ptrdiff_t bins, ptrdiff_t classes)


def count_pairs(const int32_t[::1] truth, const int32_t[::1] predicted, bin, const int32_t[::1] ignore,
                int64_t[:, :, ::1] counts, int64_t[::1] bad):
    cdef const int32_t[::1] bin_view
    cdef const int32_t *bins = NULL
    cdef const int32_t *ignored = NULL
    bad[0] = -1
    if truth.shape[0] == 0 or counts.size == 0:
        return
    if bin is not None:
        bin_view = bin
        bins = &bin_view[0]
    if ignore.shape[0]:
        ignored = &ignore[0]
    with nogil:
        bad[0] = c_count_pairs(&truth[0], &predicted[0], bins, ignored, &counts[0, 0, 0],
                               truth.shape[0], ignore.shape[0], counts.shape[0], counts.shape[1])

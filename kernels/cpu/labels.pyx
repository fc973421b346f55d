"""From scores to labels: the winning channel and the confusion matrix."""

from libc.stdint cimport int32_t, int64_t

cdef extern from "labels_loops.h" nogil:
    void c_argmax_channels "argmax_channels"(const float *x, float *y, ptrdiff_t n, ptrdiff_t c, ptrdiff_t s, int value)
    ptrdiff_t c_confusion_matrix "confusion_matrix"(
        const float *score, const float *label, const int32_t *ignore, int64_t *confusion,
        ptrdiff_t n, ptrdiff_t c, ptrdiff_t s, ptrdiff_t ignored)


def argmax_channels(const float[:, :, ::1] x, float[:, ::1] y, bint value):
    if x.shape[0] * x.shape[1] * x.shape[2] == 0:
        return
    with nogil:
        c_argmax_channels(&x[0, 0, 0], &y[0, 0], x.shape[0], x.shape[1], x.shape[2], value)


def confusion_matrix(const float[:, :, ::1] score, const float[:, ::1] label, const int32_t[::1] ignore,
                     int64_t[:, ::1] confusion, int64_t[::1] bad):
    bad[0] = -1
    if score.shape[0] * score.shape[1] * score.shape[2] == 0:
        return
    cdef const int32_t *ignored = NULL
    if ignore.shape[0]:
        ignored = &ignore[0]
    with nogil:
        bad[0] = c_confusion_matrix(&score[0, 0, 0], &label[0, 0], ignored, &confusion[0, 0],
                                    score.shape[0], score.shape[1], score.shape[2], ignore.shape[0])
    if bad[0] == -2:
        raise MemoryError()

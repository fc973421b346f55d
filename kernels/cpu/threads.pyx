"""The number of threads of the native kernels."""

cdef extern from "omp.h" nogil:
    void omp_set_num_threads(int count)
    int omp_get_max_threads()


def set_openmp_threads(int count):
    """Let parallel regions use ``count`` threads from now on."""
    omp_set_num_threads(count)


def get_openmp_threads():
    """How many threads the next parallel region uses."""
    return omp_get_max_threads()

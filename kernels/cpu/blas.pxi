# The BLAS that SciPy brings, as the C kernels want it (see blas.h).

from scipy.linalg.cython_blas cimport sgemm

cdef extern from "blas.h":
    ctypedef void (*sgemm_function)(char *, char *, int *, int *, int *, float *, float *, int *, float *, int *, float *,
                                    float *, int *) noexcept nogil

    ctypedef struct Blas:
        sgemm_function sgemm
        int (*get_threads)() noexcept nogil
        void (*set_threads)(int) noexcept nogil

    int blas_hold(const Blas *blas) noexcept nogil
    void blas_release(const Blas *blas, int threads) noexcept nogil


cdef Blas blas


cdef void find_blas():
    from pydeeplab.backend.cpu.blas_threads import thread_controls

    cdef size_t get_address, set_address
    get_address, set_address = thread_controls()
    blas.sgemm = <sgemm_function>sgemm
    blas.get_threads = <int (*)() noexcept nogil>get_address
    blas.set_threads = <void (*)(int) noexcept nogil>set_address


find_blas()

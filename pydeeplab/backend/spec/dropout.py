"""Dropout with counter-based random numbers: the same mask on every backend, for any number of threads.

The mask is a pure function of (seed, offset, element index), so the gradient makes it again instead of storing it.
Element i uses word ``i mod 4`` of Philox4x32-10 (Salmon et al. 2011) with the counter words (i div 4 low, i div 4 high,
offset low, offset high) and the key words (seed low, seed high). It is kept where that word exceeds
floor((2^32 - 1) ratio), as on Caffe's GPU; ratio is rounded to single precision, all else about it is in double.
"""

from pydeeplab.backend.spec import kernel

KERNELS = [
    kernel(
        "dropout_forward",
        "in x[n], out y[n], int seed, int offset, float ratio",
        source="Caffe Dropout: y = x mask / (1 - ratio); its gradient is the same map on dy; y may be x",
        tolerance=1e-6,
    ),
]

"""The gradient of a convolution's weights as one product over the pixels of all images.

`halves`: seven products of halves in place of eight (Strassen 1969, Winograd 1971). `turned`: the product's terms are
the image's pixels rather than the positions of windows; at stride 1, with pads within the window.
"""

from pydeeplab.backend.spec import kernel
from pydeeplab.backend.spec.conv import BACKWARD_WEIGHTS, WINDOW

KERNELS = [
    kernel(
        "product_backward_weights",
        BACKWARD_WEIGHTS.replace("dw[O,I,", "dw[O,C,") + "scratch work[*], " + WINDOW + ", bool halves, bool turned",
        source="conv_backward_weights with one group; the same for any number of threads",
        only="cpu",
    ),
]

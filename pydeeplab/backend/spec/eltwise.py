"""Arithmetic between arrays of one shape: Eltwise, Split's gradients, running averages."""

from pydeeplab.backend.spec import kernel

KERNELS = [
    kernel(
        "eltwise_add_forward",
        "in a[n], in b[n], out y[n], float alpha, float beta, bool relu",
        source="Caffe Eltwise SUM of two bottoms: z = alpha a + beta b; with relu then y = max(z, 0); y may be a or b",
        tolerance=1e-6,
    ),
    kernel(
        "eltwise_multiply_forward",
        "in a[n], in b[n], out y[n]",
        source="Caffe Eltwise PROD: y = a b; y may be a or b",
        tolerance=0,
    ),
    kernel(
        "eltwise_ratio_backward",
        "in y[n], in x[n], in dy[n], out dx[n]",
        source="Caffe Eltwise PROD without stable_prod_grad: dx = y / x dy",
        tolerance=1e-6,
    ),
    kernel(
        "eltwise_max_forward",
        "in a[n], in b[n], out y[n], inout winner[n]:int32, int index",
        source="Caffe Eltwise MAX by its GPU rule: a wins where a > b, else b (so a tie goes to b) and winner = index; "
        "where a wins, winner is kept, or for index 1 set to 0; y may be a",
        tolerance=0,
    ),
    kernel(
        "eltwise_max_backward",
        "in winner[n]:int32, in dy[n], out dx[n], int index",
        source="Caffe Eltwise MAX: dx = dy where winner == index, else 0",
        tolerance=0,
    ),
    kernel(
        "axpby",
        "in x[n], inout y[n], float alpha, float beta",
        source="BLAS extension: y = alpha x + beta y; with beta 0 y is overwritten, whatever it held",
        tolerance=1e-6,
    ),
]

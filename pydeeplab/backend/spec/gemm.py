"""Matrix products: the fully connected layer."""

from pydeeplab.backend.spec import kernel

KERNELS = [
    kernel(
        "inner_product_forward",
        "in x[M,K], in w[A,B], in? bias[N], out y[M,N], bool transpose",
        source="Caffe InnerProduct: y = x w^T + bias, w[N,K]; with transpose y = x w + bias, w[K,N]",
    ),
    kernel(
        "inner_product_backward_data",
        "in dy[M,N], in w[A,B], out dx[M,K], bool transpose",
        source="Caffe InnerProduct: dx = dy w; with transpose dx = dy w^T",
    ),
    kernel(
        "inner_product_backward_weights",
        "in x[M,K], in dy[M,N], inout dw[A,B], bool transpose",
        source="Caffe InnerProduct: dw += dy^T x; with transpose dw += x^T dy",
    ),
]

"""Matrix products: the fully connected layer."""


def inner_product_forward(x, w, bias, y, transpose):
    y[...] = x @ (w if transpose else w.T)
    if bias is not None:
        y += bias


def inner_product_backward_data(dy, w, dx, transpose):
    dx[...] = dy @ (w.T if transpose else w)


def inner_product_backward_weights(x, dy, dw, transpose):
    dw += x.T @ dy if transpose else dy.T @ x

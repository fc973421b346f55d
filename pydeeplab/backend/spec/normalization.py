"""Local response normalisation and L2 normalisation.

LRN: with s = k + alpha/m * (sum of x^2 over a window) the output is x s^-beta. The window holds ``size`` neighbouring
channels at one position (m = size), or ``size`` x ``size`` neighbouring positions of one channel (m = size^2); it is
centred, and what lies outside counts as 0.
"""

from pydeeplab.backend.spec import kernel

KERNELS = [
    kernel(
        "lrn_across_forward",
        "in x[N,C,n], out y[N,C,n], out s[N,C,n], int size, float alpha, float beta, float k",
        source="Caffe LRN ACROSS_CHANNELS (Krizhevsky et al. 2012, section 3.3)",
    ),
    kernel(
        "lrn_across_backward",
        "in x[N,C,n], in y[N,C,n], in s[N,C,n], in dy[N,C,n], out dx[N,C,n], int size, float alpha, float beta",
        source="Caffe LRN: dx = dy s^-beta - 2 alpha beta / size x (sum of dy y / s over the window)",
    ),
    kernel(
        "lrn_within_forward",
        "in x[N,H,W], out y[N,H,W], out s[N,H,W], int size, float alpha, float beta, float k",
        source="Caffe LRN WITHIN_CHANNEL (there k = 1)",
    ),
    kernel(
        "lrn_within_backward",
        "in x[N,H,W], in y[N,H,W], in s[N,H,W], in dy[N,H,W], out dx[N,H,W], int size, float alpha, float beta",
        source="Caffe LRN: dx = dy s^-beta - 2 alpha beta / size^2 x (sum of dy y / s over the window)",
    ),
    kernel(
        "l2_normalize_forward",
        "in x[N,C,n], out y[N,C,n], out norm[N,n], float eps",
        source="SSD Normalize: norm = sqrt(eps + sum of x^2 over C), y = x / norm (Liu et al. 2015, ParseNet, eq. 1)",
    ),
    kernel(
        "l2_normalize_backward",
        "in x[N,C,n], in norm[N,n], in dy[N,C,n], out dx[N,C,n]",
        source="SSD Normalize: dx = (dy - x (sum of x dy over C) / norm^2) / norm; dx may be dy",
    ),
]

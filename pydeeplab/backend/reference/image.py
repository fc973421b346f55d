"""From decoded pictures to blobs: OpenCV's bilinear resize, and the cut, mirrored, mean-free crop that nets get."""

import numpy as np

WEIGHT_ONE = 2048  # OpenCV's INTER_RESIZE_COEF_SCALE: weights have 11 bits


def source_positions(size, new_size):
    """For each new index the source index below it and the fraction beyond it (float32), before any clipping."""
    scale = 1 / (new_size / size)
    position = ((np.arange(new_size) + 0.5) * scale - 0.5).astype(np.float32)
    below = np.floor(position)
    return below.astype(np.int64), position - below


def axis_weights(size, new_size, drop_fraction):
    """Both source indices and the fraction; outside the image the fraction is dropped (columns) or kept (rows)."""
    below, fraction = source_positions(size, new_size)
    if drop_fraction:
        fraction = np.where((below < 0) | (below >= size - 1), np.float32(0), fraction)
    return np.clip(below, 0, size - 1), np.clip(below + 1, 0, size - 1), fraction


def fixed_point(fraction):
    one = np.float32(WEIGHT_ONE)
    return np.rint((1 - fraction) * one).astype(np.int32), np.rint(fraction * one).astype(np.int32)


def image_resize_bilinear(x, y):
    height, width = x.shape[:2]
    new_height, new_width = y.shape[:2]
    if (height, width) == (2 * new_height, 2 * new_width):
        quads = x.reshape(new_height, 2, new_width, 2, -1).astype(np.int32)
        y[...] = (quads.sum(axis=(1, 3)) + 2) >> 2
        return
    left, right, fraction = axis_weights(width, new_width, True)
    a0, a1 = (w[:, None] for w in fixed_point(fraction))
    wide = x.astype(np.int32)
    rows = wide[:, left] * a0 + wide[:, right] * a1
    top, bottom, fraction = axis_weights(height, new_height, False)
    b0, b1 = (w[:, None, None] for w in fixed_point(fraction))
    y[...] = (((b0 * (rows[top] >> 4)) >> 16) + ((b1 * (rows[bottom] >> 4)) >> 16) + 2) >> 2


def image_resize_bilinear_real(x, y):
    left, right, fraction = axis_weights(x.shape[1], y.shape[1], True)
    a = fraction[:, None].astype(x.dtype)
    rows = x[:, left] * (1 - a) + x[:, right] * a
    top, bottom, fraction = axis_weights(x.shape[0], y.shape[0], False)
    b = fraction[:, None, None].astype(x.dtype)
    y[...] = rows[top] * (1 - b) + rows[bottom] * b


def image_to_blob(image, mean, blob, row, column, mirror, reverse, scale):
    _, height, width = blob.shape
    blob[...] = 0
    window = image[row : row + height, column : column + width]
    if reverse:
        window = window[:, :, ::-1]
    values = ((window - mean) * float(np.float32(scale))).astype(blob.dtype)
    out = blob[:, :, ::-1] if mirror else blob
    out[:, : window.shape[0], : window.shape[1]] = values.transpose(2, 0, 1)


def image_subtract_mean(mean, blob, row, column, mirror, scale):
    _, height, width = blob.shape
    window = mean if mean.shape[1:] == (1, 1) else mean[:, row : row + height, column : column + width]
    blob -= window[:, :, ::-1] if mirror else window
    blob *= np.float32(scale)

"""A data layer of one's own: points of two half moons, with options in param_str."""

# ruff: noqa (written as such scripts are)

import json

import caffe
import numpy as np


class Moons(caffe.Layer):
    def setup(self, bottom, top):
        params = json.loads(self.param_str)
        self.batch_size = params["batch_size"]
        self.random = np.random.RandomState(params.get("seed", 0))
        if len(top) != 2:
            raise Exception("Need to define two tops: data and label.")
        if len(bottom) != 0:
            raise Exception("Do not define a bottom.")

    def reshape(self, bottom, top):
        top[0].reshape(self.batch_size, 2)
        top[1].reshape(self.batch_size)

    def forward(self, bottom, top):
        label = self.random.randint(0, 2, self.batch_size)
        angle = self.random.uniform(0, np.pi, self.batch_size)
        side = 1 - 2 * label
        top[0].data[:, 0] = side * np.cos(angle) + label
        top[0].data[:, 1] = side * np.sin(angle) + 0.5 * label
        top[0].data[...] += 0.1 * self.random.randn(self.batch_size, 2)
        top[1].data[...] = label

    def backward(self, top, propagate_down, bottom):
        pass


class Hinge(caffe.Layer):
    """A loss in Python: squared hinge of one score per item."""

    def setup(self, bottom, top):
        if len(bottom) != 2:
            raise Exception("Need two inputs to compute the loss.")

    def reshape(self, bottom, top):
        self.diff = np.zeros_like(bottom[0].data, dtype=np.float32)
        top[0].reshape(1)

    def forward(self, bottom, top):
        sign = 2 * bottom[1].data.reshape(bottom[0].data.shape) - 1
        margin = np.maximum(0, 1 - sign * bottom[0].data)
        self.diff[...] = -2 * sign * margin
        top[0].data[...] = np.sum(margin**2) / bottom[0].num

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0]:
            bottom[0].diff[...] = self.diff * top[0].diff / bottom[0].num

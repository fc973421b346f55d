"""Write a net with NetSpec, train it step by step, look at it: train.py FOLDER"""

# ruff: noqa (written as such scripts are)

import json
import os
import sys

import caffe
import numpy as np
from caffe import layers as L
from caffe import params as P
from caffe.proto import caffe_pb2
from google.protobuf import text_format

folder = sys.argv[1]
caffe.set_mode_cpu()
caffe.set_random_seed(5)


def moons(batch_size, seed):
    n = caffe.NetSpec()
    n.data, n.label = L.Python(
        module="moons_layer",
        layer="Moons",
        ntop=2,
        python_param=dict(
            module="moons_layer", layer="Moons", param_str=json.dumps(dict(batch_size=batch_size, seed=seed))
        ),
    )
    n.ip1 = L.InnerProduct(n.data, num_output=32, weight_filler=dict(type="xavier"))
    n.relu1 = L.ReLU(n.ip1, in_place=True)
    n.score = L.InnerProduct(n.relu1, num_output=1, weight_filler=dict(type="xavier"))
    n.loss = L.Python(n.score, n.label, python_param=dict(module="moons_layer", layer="Hinge"), loss_weight=1)
    return n.to_proto()


with open(os.path.join(folder, "train.prototxt"), "w") as f:
    f.write(str(moons(64, 1)))
with open(os.path.join(folder, "test.prototxt"), "w") as f:
    f.write(str(moons(200, 2)))

s = caffe_pb2.SolverParameter()
s.train_net = os.path.join(folder, "train.prototxt")
s.test_net.append(os.path.join(folder, "test.prototxt"))
s.test_interval = 10000
s.test_iter.append(1)
s.base_lr, s.lr_policy, s.momentum = 0.1, "fixed", 0.9
s.max_iter = 10000
s.snapshot_prefix = os.path.join(folder, "moons")
s.solver_mode = caffe_pb2.SolverParameter.CPU
with open(os.path.join(folder, "solver.prototxt"), "w") as f:
    f.write(text_format.MessageToString(s))

solver = caffe.get_solver(os.path.join(folder, "solver.prototxt"))
niter = 200
train_loss = np.zeros(niter)
for it in range(niter):
    solver.step(1)
    train_loss[it] = solver.net.blobs["loss"].data[0]

solver.test_nets[0].share_with(solver.net)
solver.test_nets[0].forward()
scores = solver.test_nets[0].blobs["score"].data.flatten()
accuracy = np.mean((scores > 0) == solver.test_nets[0].blobs["label"].data)
print("loss %.4f -> %.4f, accuracy %.3f" % (train_loss[:10].mean(), train_loss[-10:].mean(), accuracy))
solver.snapshot()
assert P.Pooling.MAX == 0

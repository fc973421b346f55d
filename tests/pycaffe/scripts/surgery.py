"""Turn a classifier's inner products into convolutions: surgery.py NET WEIGHTS FULLCONV_NET FULLCONV_WEIGHTS"""

# ruff: noqa (written as such scripts are)

import sys

import caffe

net = caffe.Net(sys.argv[1], sys.argv[2], caffe.TEST)
params = ["fc6", "fc7"]
fc_params = {pr: (net.params[pr][0].data, net.params[pr][1].data) for pr in params}
for fc in params:
    print("{} weights are {} dimensional".format(fc, fc_params[fc][0].shape))

full = caffe.Net(sys.argv[3], sys.argv[2], caffe.TEST)
params_full = ["fc6-conv", "fc7-conv"]
conv_params = {pr: (full.params[pr][0].data, full.params[pr][1].data) for pr in params_full}
for pr, pr_conv in zip(params, params_full):
    conv_params[pr_conv][0].flat = fc_params[pr][0].flat
    conv_params[pr_conv][1][...] = fc_params[pr][1]
full.save(sys.argv[4])

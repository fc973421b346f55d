"""Score pictures with a Classifier: classify.py INPUT_FOLDER OUTPUT.npy --model_def ... --pretrained_model ..."""

# ruff: noqa (written as such scripts are)

import argparse
import glob
import os

import caffe
import numpy as np

parser = argparse.ArgumentParser()
parser.add_argument("input")
parser.add_argument("output")
parser.add_argument("--model_def")
parser.add_argument("--pretrained_model")
parser.add_argument("--mean_file")
parser.add_argument("--images_dim", default="16,16")
parser.add_argument("--center_only", action="store_true")
parser.add_argument("--gpu", action="store_true")
args = parser.parse_args()

if args.gpu:
    caffe.set_mode_gpu()
else:
    caffe.set_mode_cpu()

blob = caffe.proto.caffe_pb2.BlobProto()
with open(args.mean_file, "rb") as f:
    blob.ParseFromString(f.read())
mean = caffe.io.blobproto_to_array(blob)[0]

classifier = caffe.Classifier(
    args.model_def,
    args.pretrained_model,
    image_dims=[int(s) for s in args.images_dim.split(",")],
    mean=mean,
    raw_scale=255.0,
    channel_swap=[2, 1, 0],
)
names = sorted(glob.glob(os.path.join(args.input, "*.png")))
predictions = classifier.predict([caffe.io.load_image(name) for name in names], not args.center_only)
print("Classified", len(names), "pictures.")
np.save(args.output, predictions)

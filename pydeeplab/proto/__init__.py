"""Caffe's nets and solvers as text and as bytes: every dialect in, the current format out."""

from pydeeplab.proto import caffe_pb2

__all__ = ["caffe_pb2"]

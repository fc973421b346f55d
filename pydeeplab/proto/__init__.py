"""Caffe's nets and solvers as text and as bytes: every dialect in, the current format out."""

from pydeeplab.proto import caffe_pb2
from pydeeplab.proto.source import NetSource, SolverSource, parse_net, parse_solver, read_net, read_solver
from pydeeplab.proto.text import write_text

__all__ = [
    "NetSource",
    "SolverSource",
    "caffe_pb2",
    "parse_net",
    "parse_solver",
    "read_net",
    "read_solver",
    "write_text",
]

"""Caffe's nets and solvers as text and as bytes: every dialect in, the current format out."""

from pydeeplab.proto import caffe_pb2
from pydeeplab.proto.binary import parse_binary_net
from pydeeplab.proto.dialects import fork_of_type
from pydeeplab.proto.source import NetSource, SolverSource, parse_net, parse_solver, read_net, read_solver
from pydeeplab.proto.text import write_text

__all__ = [
    "NetSource",
    "SolverSource",
    "caffe_pb2",
    "fork_of_type",
    "parse_binary_net",
    "parse_net",
    "parse_solver",
    "read_net",
    "read_solver",
    "write_text",
]

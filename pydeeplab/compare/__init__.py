"""Comparing a net, blob by blob, with what reference Caffe computed."""

from pydeeplab.compare.comparison import BlobError, Comparison, compare
from pydeeplab.compare.dump import Dump, dump_script, read_dump, record, write_dump

__all__ = ["BlobError", "Comparison", "Dump", "compare", "dump_script", "read_dump", "record", "write_dump"]

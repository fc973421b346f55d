"""What ``import caffe`` finds in processes that a script under ``pydeeplab run`` starts: it becomes pydeeplab."""

import sys

from pydeeplab.compat import install_as_caffe

del sys.modules["caffe"]
install_as_caffe()

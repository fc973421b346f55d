"""Pictures in, labels out: a net, any image size, tiles for large ones, and a dense CRF if wanted."""

from pydeeplab.segmentation.result import Segmentation
from pydeeplab.segmentation.segmenter import MEAN_BGR, Segmenter, segment

__all__ = ["MEAN_BGR", "Segmentation", "Segmenter", "segment"]

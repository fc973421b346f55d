"""What sets Caffe's dialects apart: layer types, fields, and who introduced them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydeeplab.proto import caffe_pb2

__all__ = ["V1_TYPES", "fork_of_field", "fork_of_type", "net_dialect"]

DEEPLAB_V1 = "DeepLab v1"
DEEPLAB_V2 = "DeepLab v2"
DECONVNET = "DeconvNet"
CRF_RNN = "CRF-RNN"

V1_TYPES: dict[str, str] = {
    "NONE": "",
    "ABSVAL": "AbsVal",
    "ACCURACY": "Accuracy",
    "ARGMAX": "ArgMax",
    "BNLL": "BNLL",
    "CONCAT": "Concat",
    "CONTRASTIVE_LOSS": "ContrastiveLoss",
    "CONVOLUTION": "Convolution",
    "DATA": "Data",
    "DECONVOLUTION": "Deconvolution",
    "DROPOUT": "Dropout",
    "DUMMY_DATA": "DummyData",
    "ELTWISE": "Eltwise",
    "EUCLIDEAN_LOSS": "EuclideanLoss",
    "EXP": "Exp",
    "FLATTEN": "Flatten",
    "HDF5_DATA": "HDF5Data",
    "HDF5_OUTPUT": "HDF5Output",
    "HINGE_LOSS": "HingeLoss",
    "IM2COL": "Im2col",
    "IMAGE_DATA": "ImageData",
    "INFOGAIN_LOSS": "InfogainLoss",
    "INNER_PRODUCT": "InnerProduct",
    "LRN": "LRN",
    "MEMORY_DATA": "MemoryData",
    "MULTINOMIAL_LOGISTIC_LOSS": "MultinomialLogisticLoss",
    "MVN": "MVN",
    "POOLING": "Pooling",
    "POWER": "Power",
    "RELU": "ReLU",
    "SIGMOID": "Sigmoid",
    "SIGMOID_CROSS_ENTROPY_LOSS": "SigmoidCrossEntropyLoss",
    "SILENCE": "Silence",
    "SLICE": "Slice",
    "SOFTMAX": "Softmax",
    "SOFTMAX_LOSS": "SoftmaxWithLoss",
    "SPLIT": "Split",
    "TANH": "TanH",
    "THRESHOLD": "Threshold",
    "WINDOW_DATA": "WindowData",
    # DeepLab v1
    "ADAPTIVE_BIAS_CHANNEL": "AdaptiveBiasChannel",
    "BIAS_CHANNEL": "BiasChannel",
    "CENSOR_LABEL": "CensorLabel",
    "CHANNEL_AGGREGATOR": "ChannelAggregator",
    "DENSE_CRF": "DenseCRF",
    "DOMINANT_CHANNEL": "DominantChannel",
    "GAIN_CHANNEL": "GainChannel",
    "HISTOGRAM": "Histogram",
    "IGNORE_OVERLAY": "IgnoreOverlay",
    "IMAGE_SEG_DATA": "ImageSegData",
    "INTERP": "Interp",
    "MAT_READ": "MatRead",
    "MAT_WRITE": "MatWrite",
    "ONEHOT": "OneHot",
    "PADDING": "Padding",
    "RELATIVE_ERROR": "RelativeError",
    "SEG_ACCURACY": "SegAccuracy",
    "UNIQUE_LABEL": "UniqueLabel",
    # other forks
    "BN": "BN",
    "CROP": "Crop",
    "DENSE_IMAGE_DATA": "DenseImageData",
    "ELTWISE_ACCURACY": "EltwiseAccuracy",
    "MULTI_STAGE_MEANFIELD": "MultiStageMeanfield",
    "PRELU": "PReLU",
    "UNPOOLING": "Unpooling",
    "UPSAMPLE": "Upsample",
    "WINDOW_SEG_DATA": "WindowSegData",
}
"""The words of the old format's ``type`` and the type strings that replaced them."""


def _table(words_by_owner: dict[str, str]) -> dict[str, str]:
    """From each word to its owner."""
    return {word: owner for owner, words in words_by_owner.items() for word in words.split()}


_V1_FORKS = _table(
    {
        DEEPLAB_V1: """ADAPTIVE_BIAS_CHANNEL BIAS_CHANNEL CENSOR_LABEL CHANNEL_AGGREGATOR DENSE_CRF DOMINANT_CHANNEL
            GAIN_CHANNEL HISTOGRAM IGNORE_OVERLAY IMAGE_SEG_DATA INTERP MAT_READ MAT_WRITE ONEHOT PADDING RELATIVE_ERROR
            SEG_ACCURACY UNIQUE_LABEL""",
        DECONVNET: "ELTWISE_ACCURACY UNPOOLING WINDOW_SEG_DATA",
        CRF_RNN: "MULTI_STAGE_MEANFIELD",
    }
)
_DEEPLAB_V1_FIELDS = ("strict_dim", "softmaxloss_param", "interp_param", "padding_param", "seg_accuracy_param")

_FORKS = _table(
    {
        DEEPLAB_V2: """ImageSegData Interp SegAccuracy MatRead MatWrite DenseCRF UniqueLabel BiasChannel
            AdaptiveBiasChannel DomainTransform DomainTransformForwardOnly SpatialProduct""",
        DEEPLAB_V1: """Padding CensorLabel OneHot Histogram RelativeError ChannelAggregator DominantChannel GainChannel
            IgnoreOverlay""",
        "Kinpzz's deeplab-v2": "BinaryPngWrite VisualSaliency",
        "SegNet": "Upsample DenseImageData",
        CRF_RNN: "MultiStageMeanfield",
        DECONVNET: "Unpooling EltwiseAccuracy WindowSegData WindowClsData WindowInstSegData",
        "PSPNet": "VideoData BatchReduction ImageMultiSegData",
        "SSD": "Permute Normalize PriorBox MultiBoxLoss DetectionOutput AnnotatedData DetectionEvaluate",
        "Fast R-CNN": "ROIPooling SmoothL1Loss",
        "R-FCN": "PSROIPooling BoxAnnotatorOHEM",
        "FlowNet": "Correlation FlowWarp L1Loss Downsample Resample CustomData",
        "MobileNet": "DepthwiseConvolution ConvolutionDepthwise",
        "ShuffleNet": "ShuffleChannel",
        "SENet": "Axpy",
    }
)
"""Layer types that no BVLC release has, and where they come from."""

_FORK_FIELDS = _table(
    {
        "PSPNet": """rand_resize rand_rotate gaussian_blur rand_aspect_ratio label_scalefactor label_offset rotate90n
            crop_w crop_h output_label video_data_param batch_reduction_param interp_type var_eps moving_average
            decay""",
        "SSD": """resize_param noise_param distort_param expand_param emit_constraint prior_box_param
            multibox_loss_param detection_output_param annotated_data_param detection_evaluate_param""",
        "Fast R-CNN": "roi_pooling_param smooth_l1_loss_param",
        "R-FCN": "psroi_pooling_param box_annotator_ohem_param",
        "Kinpzz's deeplab-v2": "binary_png_write_param visual_saliency_param",
        DECONVNET: "red_softmax_loss_param red_accuracy_param binary_accuracy_param",
        CRF_RNN: "spatial_filter_weights_str bilateral_filter_weights_str",
        "ShuffleNet": "shuffle_channel_param",
    }
)
"""Fields that pydeeplab does not know, and whose Caffe has them."""


def fork_of_type(layer_type: str) -> str:
    """Whose Caffe has this layer type, as far as is known; empty for BVLC's own types and for unheard-of ones.

    Examples
    --------
    >>> fork_of_type("Upsample")
    'SegNet'
    >>> fork_of_type("Convolution")
    ''
    """
    return _FORKS.get(layer_type, "")


def fork_of_field(name: str) -> str:
    """Whose Caffe has this field that pydeeplab lacks, as far as is known; empty otherwise."""
    return _FORK_FIELDS.get(name, "")


def v1_type_name(number: int) -> str:
    """The word of a V1 layer type as stored in the schema, e.g. 4 is CONVOLUTION."""
    return str(caffe_pb2.V1LayerParameter.LayerType.Name(number))


def has_hole(param: Any) -> bool:
    """Whether a ConvolutionParameter uses DeepLab v1's name of dilation."""
    return any(param.HasField(name) for name in ("hole", "hole_h", "hole_w"))


def _is_deeplab_v1(layer: Any) -> bool:
    return (
        _V1_FORKS.get(v1_type_name(layer.type)) == DEEPLAB_V1
        or any(layer.HasField(name) for name in _DEEPLAB_V1_FIELDS)
        or (layer.HasField("convolution_param") and has_hole(layer.convolution_param))
    )


def _old_dialect(layers: Iterable[Any]) -> str:
    layers = list(layers)
    if any(layer.HasField("layer") for layer in layers):
        return "Caffe V0"
    forks = {_V1_FORKS.get(v1_type_name(layer.type)) for layer in layers}
    for fork in (DECONVNET, CRF_RNN):
        if fork in forks:
            return fork
    return DEEPLAB_V1 if any(map(_is_deeplab_v1, layers)) else "Caffe V1"


def net_dialect(net: Any) -> str:
    """The dialect of a net as it was written, before any upgrade.

    Parameters
    ----------
    net : NetParameter
        Parsed, not upgraded.

    Returns
    -------
    str
        "Caffe", "Caffe V1", "Caffe V0", "DeepLab v1", "DeepLab v2", "SegNet", "ENet", "PSPNet", "DeconvNet", "CRF-RNN",
        "SSD" and the like: the most special one that the layer types and fields speak of.
    """
    if net.layers:
        return _old_dialect(net.layers)
    found = ""
    for layer in net.layer:
        if layer.type == "BN" and layer.HasField("bn_param"):
            bn = layer.bn_param
            psp = bn.HasField("slope_filler") or bn.HasField("bias_filler") or bn.HasField("frozen")
            return "PSPNet" if psp else _segnet_or_enet(net)
        if layer.type in ("Upsample", "DenseImageData"):
            return _segnet_or_enet(net)
        found = found or _FORKS.get(layer.type, "")
    return found or "Caffe"


def _segnet_or_enet(net: Any) -> str:
    enet = any(layer.type in ("PReLU", "Deconvolution") for layer in net.layer)
    return "ENet" if enet else "SegNet"

"""A prototxt fragment or several for every layer type that needs some, and shapes that suit types with odd needs."""

from __future__ import annotations

_CONVOLUTION = "convolution_param {{ num_output: 2 weight_filler {{ type: 'xavier' }} {} }}"
_RECURRENT = ("recurrent_param { num_output: 2 }", "recurrent_param { num_output: 2 expose_hidden: true }")
_TRANSFORM = ("domain_transform_param { num_iter: 2 spatial_sigma: 5 range_sigma: 3 }",)

PARAMS: dict[str, tuple[str, ...]] = {
    "Accuracy": ("", "accuracy_param { axis: -1 ignore_label: 0 }"),
    "AdaptiveBiasChannel": ("adaptive_bias_channel_param { num_iter: 2 suppress_others: true }",),
    "ArgMax": ("", "argmax_param { axis: 1 }", "argmax_param { top_k: 2 out_max_val: true }"),
    "BN": ("", "bn_param { bn_mode: INFERENCE }", "bn_param { momentum: 0.9 }"),
    "BatchNorm": ("", "batch_norm_param { use_global_stats: true }"),
    "Bias": ("", "bias_param { axis: 0 }", "bias_param { num_axes: 0 }"),
    "BiasChannel": ("bias_channel_param { fg_bias: 1 }", "bias_channel_param { bg_bias: 1 label_type: PIXEL }"),
    "CensorLabel": ("censor_label_param { ignore_label: 255 }",),
    "Clip": ("clip_param { min: -1 max: 1 }",),
    "Concat": ("", "concat_param { axis: 0 }", "concat_param { axis: -1 }"),
    "ContrastiveLoss": ("", "contrastive_loss_param { legacy_version: true }"),
    "Convolution": (
        _CONVOLUTION.format("kernel_size: 3 pad: 1"),
        _CONVOLUTION.format("kernel_size: 3 pad: 1 engine: CAFFE"),
        _CONVOLUTION.format("kernel_size: 1 group: 2"),
    ),
    "Crop": ("", "crop_param { axis: 1 offset: 1 }"),
    "Deconvolution": (
        "convolution_param { num_output: 2 kernel_size: 4 stride: 2 pad: 1 weight_filler { type: 'bilinear' } }",
    ),
    "DenseCRF": ("dense_crf_param { max_iter: 2 pos_w: 3 pos_xy_std: 3 bi_w: 5 bi_xy_std: 30 bi_rgb_std: 3 }",),
    "DomainTransform": _TRANSFORM,
    "DomainTransformForwardOnly": _TRANSFORM,
    "DummyData": ("dummy_data_param { shape { dim: 2 } }",),
    "Eltwise": ("", "eltwise_param { operation: PROD }", "eltwise_param { operation: MAX }"),
    "EltwiseAccuracy": ("", "eltwise_accuracy_param { ignore_label: 0 }"),
    "Embed": ("embed_param { num_output: 2 input_dim: 3 }",),
    "EuclideanLoss": ("", "euclidean_loss_param { type: L2sqrt }"),
    "Exp": ("", "exp_param { base: 2 shift: 1e30 }"),
    "Flatten": ("", "flatten_param { axis: 1 end_axis: 2 }"),
    "GainChannel": ("gain_channel_param { gain_filler { value: 1 } num_output_nz: 1 thresh: 0.1 }",),
    "HingeLoss": ("", "hinge_loss_param { norm: L2 }"),
    "Histogram": ("histogram_param { num_labels: 3 }",),
    "Im2col": ("convolution_param { kernel_size: 1 }", "convolution_param { kernel_size: 3 pad: 1 }"),
    "InnerProduct": (
        "inner_product_param { num_output: 2 }",
        "inner_product_param { num_output: 2 axis: -1 transpose: true }",
    ),
    "Interp": ("interp_param { height: 3 width: 4 }", "interp_param { zoom_factor: 2 pad_beg: -1 }"),
    "LRN": ("", "lrn_param { norm_region: WITHIN_CHANNEL }"),
    "LSTM": _RECURRENT,
    "MVN": ("", "mvn_param { across_channels: true normalize_variance: false }"),
    "MultiStageMeanfield": (
        "multi_stage_meanfield_param { num_iterations: 2 theta_alpha: 10 theta_beta: 3 theta_gamma: 3 }",
    ),
    "Normalize": ("", "norm_param { across_spatial: false channel_shared: false }"),
    "OneHot": ("onehot_param { num_labels: 3 }",),
    "PReLU": ("", "prelu_param { channel_shared: true }"),
    "Padding": ("padding_param { pad_beg: 1 pad_end: 1 }", "padding_param { pad_beg: -1 pad_end: -1 }"),
    "Parameter": ("parameter_param { shape { dim: 2 } }",),
    "Permute": ("", "permute_param { order: 1 order: 0 }"),
    "Pooling": (
        "pooling_param { kernel_size: 2 stride: 2 }",
        "pooling_param { kernel_size: 2 pool: AVE pad: 1 }",
        "pooling_param { kernel_size: 2 pool: STOCHASTIC }",
        "pooling_param { global_pooling: true }",
    ),
    "Power": ("", "power_param { power: 0.5 scale: 2 shift: -1 }"),
    "RNN": _RECURRENT,
    "Reduction": ("", "reduction_param { axis: 1 operation: MEAN }"),
    "Reshape": ("reshape_param { shape { dim: 0 dim: -1 } }", "reshape_param { shape { dim: 2 dim: -1 dim: 1 } }"),
    "SPP": ("spp_param { pyramid_height: 2 }",),
    "Scale": ("", "scale_param { bias_term: true }", "scale_param { axis: 0 num_axes: -1 }"),
    "SegAccuracy": ("", "seg_accuracy_param { ignore_label: 0 }"),
    "SigmoidCrossEntropyLoss": ("", "loss_param { ignore_label: 0 normalization: VALID }"),
    "Slice": ("", "slice_param { slice_point: 1 }"),
    "Softmax": ("", "softmax_param { axis: -1 }"),
    "SoftmaxWithLoss": ("", "loss_param { ignore_label: 0 normalization: FULL }"),
    "Tile": ("tile_param { tiles: 2 }", "tile_param { tiles: 3 axis: -1 }"),
    "UniqueLabel": ("unique_label_param { max_labels: 3 force_label: 0 }",),
    "Unpooling": ("unpooling_param { kernel_size: 2 stride: 2 }", "unpooling_param { kernel_size: 2 unpool: AVE }"),
    "Upsample": ("upsample_param { scale: 2 }", "upsample_param { upsample_h: 3 upsample_w: 4 }"),
}
"""Layer types that are not listed need nothing."""

READ_FILES = (
    "ChannelAggregator",
    "Data",
    "DenseImageData",
    "HDF5Data",
    "HDF5Output",
    "ImageData",
    "ImageSegData",
    "MatRead",
    "MatWrite",
    "MemoryData",
    "Python",
    "WindowData",
)
"""Types whose layers are about files, memory or code: tested elsewhere."""

SHAPES: tuple[tuple[int, ...], ...] = (
    (),
    (3,),
    (0,),
    (2, 3),
    (2, 0),
    (2, 3, 4),
    (2, 3, 4, 5),
    (2, 1, 4, 5),
    (0, 3, 4, 5),
    (2, 0, 4, 5),
    (2, 3, 0, 5),
    (2, 3, 4, 5, 2),
)
"""Every number of axes, with no items, no channels and no pixels."""

_MAPS, _LABELS = (2, 3, 4, 5), (2, 1, 4, 5)
SUITING: dict[str, tuple[tuple[tuple[int, ...], ...], ...]] = {
    "AdaptiveBiasChannel": ((_MAPS, (2, 3, 1, 1)),),
    "BiasChannel": ((_MAPS, (2, 3, 1, 1)), (_MAPS, _LABELS)),
    "CensorLabel": ((_LABELS, (2, 3, 1, 1)),),
    "ContrastiveLoss": (((2, 3), (2, 3), (2,)), ((2, 0), (2, 0), (2,)), ((0, 3), (0, 3), (0,))),
    "DenseCRF": (((1, 3, 4, 5), (1, 3, 4, 5), (1, 1, 1, 2)),),
    "DomainTransform": ((_MAPS, _LABELS, (2, 1, 1, 2)), ((0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 1, 2))),
    "DomainTransformForwardOnly": ((_MAPS, _LABELS, (2, 1, 1, 2)), ((2, 3, 0, 5), (2, 1, 0, 5), (2, 1, 1, 2))),
    "InfogainLoss": (((2, 3), (2,), (1, 1, 3, 3)), ((2, 0), (2,), (1, 1, 0, 0))),
    "LSTM": (((2, 3, 4), (2, 3), (3, 5)), ((2, 0, 4), (2, 0)), ((2, 3, 4), (2, 3), (1, 3, 2), (1, 3, 2))),
    "LSTMUnit": (((1, 2, 3), (1, 2, 12), (1, 2)), ((1, 0, 3), (1, 0, 12), (1, 0))),
    "MultiStageMeanfield": (((2, 3, 4, 5),) * 3, ((0, 3, 4, 5),) * 3),
    "RNN": (((2, 3, 4), (2, 3), (3, 5)), ((2, 0, 4), (2, 0)), ((2, 3, 4), (2, 3), (1, 3, 2))),
    "SegAccuracy": ((_MAPS, (2, 4, 5)), ((2, 3, 0, 5), (2, 1, 0, 5)), ((2, 0, 4, 5), _LABELS)),
}
"""Shapes of all bottoms together, for types whose bottoms have shapes of their own."""

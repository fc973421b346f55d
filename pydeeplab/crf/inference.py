"""Refining score maps with the picture that they belong to."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pydeeplab.backend import get_backend
from pydeeplab.crf.lattice import MAX_DIMENSION
from pydeeplab.crf.mean_field import MeanField
from pydeeplab.crf.memory import Memory
from pydeeplab.crf.parameters import CRFParameters
from pydeeplab.crf.room import check_crf_room
from pydeeplab.crf.unary import scores_from_probabilities
from pydeeplab.errors import DataError, UsageError
from pydeeplab.process import default_backend

__all__ = ["DenseCRF", "refine"]

Callback = Callable[[int, NDArray[Any]], None]


class DenseCRF:
    """A fully connected CRF with fixed parameters, for any number of images; memory is reused from one to the next.

    Parameters
    ----------
    params : CRFParameters or str
        Parameters, or text for `CRFParameters.parse`, such as the name of a preset.
    backend : str
        Where the arithmetic runs: cpu, reference, cuda (or ``cuda:1`` for the second GPU), cuda-emulation; by default
        where nets compute, see `pydeeplab.set_mode_gpu`. On a GPU everything between scores and result stays there.

    Examples
    --------
    >>> crf = DenseCRF("voc12-largefov,iter=3")
    >>> image = np.zeros((4, 6, 3), np.uint8)
    >>> crf.refine(image, np.zeros((2, 4, 6), np.float32)).shape
    (2, 4, 6)
    """

    def __init__(self, params: CRFParameters | str = "voc12-largefov", *, backend: str | None = None):
        self.params = CRFParameters.parse(params) if isinstance(params, str) else params
        self._backend = get_backend(backend or default_backend())
        self._dtype = self._backend.dtypes[-1]
        self._memory = Memory(self._backend)

    def refine(
        self,
        image: ArrayLike | None,
        scores: ArrayLike | None = None,
        *,
        probabilities: ArrayLike | None = None,
        crop: bool = False,
        callback: Callback | None = None,
    ) -> NDArray[Any]:
        """Probabilities of the classes after mean-field inference.

        Parameters
        ----------
        image : (H, W, B) or (H, W) array
            The picture, channels last; uint8 RGB as a rule, but any number type and 1 to 29 channels will do. None if
            there are only positional kernels.
        scores : (C, H, W) array
            Class scores (logits), larger for likelier classes; a softmax need not have been applied. An energy is a
            negative score.
        probabilities : (C, H, W) array
            Instead of scores: probabilities, in 0..1.
        crop : bool
            Whether maps larger than the image are cut to its size, from the top left corner, as DeepLab does with
            features of padded images.
        callback : function of an int and an array, optional
            Called with the number of iterations done (0, 1, ...) and the (C, H, W) probabilities at that time.

        Returns
        -------
        (C, H, W) float32 array
            Probabilities; ``argmax(axis=0)`` is the label map.

        Raises
        ------
        DataError
            Shapes or types do not fit, or values are not finite; the message says what is likely wrong.
        UsageError
            Both or neither of ``scores`` and ``probabilities`` are given, or the compatibility does not fit the
            number of classes.
        """
        planes, maps = self._inputs(image, scores, probabilities, crop)
        field = self._field(maps)
        self._add_bilateral(field, planes)
        result = self._backend.empty(maps.size, self._dtype).reshape(maps.shape)
        field.start(maps)
        for iteration in range(self.params.iterations + 1):
            if iteration:
                field.step()
            if callback or iteration == self.params.iterations:
                field.read(result)
            if callback:
                callback(iteration, np.array(self._backend.to_host(result)))
        return self._backend.to_host(result)

    def check_room(self, height: int, width: int, classes: int) -> None:
        """See whether there is memory to refine a picture of this size, as far as that can be told beforehand.

        Raises
        ------
        MemoryError
            There is not; the message says how much it takes. A GPU's memory is looked at by `refine` only.
        """
        if not self._backend.on_device:
            check_crf_room(height, width, classes, self.params)

    def _inputs(
        self, image: ArrayLike | None, scores: ArrayLike | None, probabilities: ArrayLike | None, crop: bool
    ) -> tuple[NDArray[Any] | None, NDArray[Any]]:
        """The picture as planes and the scores at its size, both checked."""
        if (scores is None) == (probabilities is None):
            raise UsageError("give either scores (logits) or probabilities")
        maps = np.asarray(scores if probabilities is None else probabilities)
        what = "scores" if probabilities is None else "probabilities"
        planes = self._planes(image)
        maps = _check_maps(maps, what, None if planes is None else planes.shape, crop)
        if probabilities is not None:
            maps = scores_from_probabilities(maps, self.params.min_probability)
        maps = np.ascontiguousarray(maps, self._dtype)
        _check_finite(maps, what)
        return planes, maps

    def _field(self, maps: NDArray[Any]) -> MeanField:
        """A field of the maps' size with the positional kernels."""
        classes, height, width = maps.shape
        memory = self._memory.scope("field")
        field = MeanField(height, width, classes, backend=self._backend, dtype=self._dtype, memory=memory)
        params = self.params
        for weight, xy_std, matrix in zip(params.pos_w, params.pos_xy_std, params.matrices(classes), strict=False):
            field.add_term(weight, xy_std, normalization=params.normalization, compatibility=matrix)
        return field

    def _add_bilateral(self, field: MeanField, planes: NDArray[Any] | None) -> None:
        params = self.params
        matrices = params.matrices(field.classes)[len(params.pos_w) :]
        kernels = zip(params.bi_w, params.bi_xy_std, params.bi_rgb_std, matrices, strict=True)
        for weight, xy_std, rgb_std, matrix in kernels:
            assert planes is not None
            field.add_term(
                weight,
                xy_std,
                planes,
                np.full(len(planes), rgb_std, self._dtype),
                normalization=params.normalization,
                compatibility=matrix,
            )

    def _planes(self, image: ArrayLike | None) -> NDArray[Any] | None:
        """The image as (B, H, W) floating-point planes."""
        if image is None:
            if self.params.bi_w:
                raise UsageError("bilateral kernels need an image; without one, set bi_w, bi_xy_std, bi_rgb_std to ()")
            return None
        pixels = np.asarray(image)
        if pixels.dtype.kind not in "iufb":
            raise DataError(f"the image must be an array of numbers, uint8 as a rule, got type {pixels.dtype}")
        if pixels.ndim == 2:
            pixels = pixels[:, :, None]
        if pixels.ndim != 3 or 0 in pixels.shape:
            raise DataError(f"the image must have shape (H, W) or (H, W, channels), got {pixels.shape}")
        if pixels.shape[2] > MAX_DIMENSION - 2:
            hint = ""
            if pixels.shape[0] <= 4:
                hint = " This looks like channels first: pass image.transpose(1, 2, 0)."
            raise DataError(
                f"the image has shape {pixels.shape}, that is {pixels.shape[2]} channels; at most {MAX_DIMENSION - 2} "
                f"are possible.{hint}"
            )
        if self.params.bi_w and pixels.dtype.kind == "f" and pixels.max() <= 1 <= min(self.params.bi_rgb_std):
            warnings.warn(
                f"the image's values are at most {pixels.max():g}, but bi_rgb_std is in grey levels of 0..255; "
                "multiply the image by 255",
                stacklevel=3,
            )
        return np.ascontiguousarray(pixels.transpose(2, 0, 1), self._dtype)


def _check_maps(maps: NDArray[Any], what: str, image: tuple[int, ...] | None, crop: bool) -> NDArray[Any]:
    """The maps, of the image's size; errors that guess what went wrong."""
    if maps.dtype.kind not in "iufb":
        raise DataError(f"{what} must be an array of numbers, got type {maps.dtype}")
    if maps.ndim == 4 and len(maps) == 1:
        maps = maps[0]
    size = None if image is None else image[1:]
    wanted = "(C, H, W)" if size is None else f"(C, {size[0]}, {size[1]})"
    if maps.ndim != 3 or 0 in maps.shape:
        hint = ""
        if maps.ndim == 2 and size and maps.shape[1] == size[0] * size[1]:
            hint = f" Flat maps: pass {what}.reshape(-1, {size[0]}, {size[1]})."
        raise DataError(f"{what} must have shape {wanted}, got {maps.shape}.{hint}")
    if size is None or maps.shape[1:] == size:
        return maps
    height, width = size
    if crop and maps.shape[1] >= height and maps.shape[2] >= width:
        return maps[:, :height, :width]
    if maps.shape[:2] == size:
        hint = f"Classes come first: pass {what}.transpose(2, 0, 1)."
    elif maps.shape[2:0:-1] == size:
        hint = f"Rows and columns are exchanged: pass {what}.transpose(0, 2, 1)."
    elif image and maps.shape[1:] == (width, image[0]):
        hint = "The image has its channels first: pass image.transpose(1, 2, 0)."
    elif maps.shape[1] >= height and maps.shape[2] >= width:
        hint = "If they belong to a padded image, crop=True takes their top left part."
    else:
        hint = f"Resize the {what} to the image first."
    raise DataError(
        f"the image is {height} x {width} (height x width), so {what} must have shape {wanted}, got {maps.shape}. "
        f"{hint}"
    )


def _check_finite(maps: NDArray[Any], what: str) -> None:
    if np.isfinite(np.add.reduce(maps, axis=None)):
        return
    bad = ~np.isfinite(maps)
    if bad.any():
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        raise DataError(
            f"{what} must be finite; class {place[0]} at row {place[1]}, column {place[2]} is {maps[place]} "
            f"({int(bad.sum())} such values). Logarithms of zero are better given as probabilities."
        )


def refine(
    image: ArrayLike | None,
    scores: ArrayLike | None = None,
    params: CRFParameters | str = "voc12-largefov",
    *,
    probabilities: ArrayLike | None = None,
    crop: bool = False,
    callback: Callback | None = None,
    backend: str | None = None,
) -> NDArray[Any]:
    """Refine one image's scores or probabilities; see `DenseCRF.refine`, and use `DenseCRF` for many images.

    Examples
    --------
    >>> image = np.zeros((4, 6, 3), np.uint8)
    >>> scores = np.zeros((2, 4, 6))
    >>> scores[1, :, :5] = 1
    >>> refine(image, scores, "w=4,xy=20,rgb=5,iter=5").argmax(axis=0)[0].tolist()
    [1, 1, 1, 1, 1, 1]
    """
    crf = DenseCRF(params, backend=backend)
    return crf.refine(image, scores, probabilities=probabilities, crop=crop, callback=callback)

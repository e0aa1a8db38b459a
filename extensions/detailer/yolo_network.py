"""The network of YOLOv8 detectors (with or without segmentation), built from the names and shapes of a file's tensors.

Its layers are those that such files list themselves: a backbone of strided convolutions and split blocks ("c2f"),
pooling at several scales ("sppf"), a path up and one down again, and a head on three strides. Distances to the sides of
a box are expectations over 16 bins (X. Li et al., "Generalized Focal Loss", 2020, section 3.2).
"""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

BINS = 16
STRIDES = (8, 16, 32)
HEAD = "model.22"
EPSILON = 1e-3  # of the batch normalisations
_STEPS = ("model.0", "model.1", "model.3", "model.5", "model.7", "model.16", "model.19")
_SPLITS = ("model.2", "model.4", "model.6", "model.8", "model.12", "model.15", "model.18", "model.21")

Weights = Mapping[str, Tensor]


def missing(names: Weights) -> list[str]:
    """What a YOLOv8 network needs and a file has not; [] where it is one."""
    needed = [f"{at}.conv.weight" for at in _STEPS]
    needed += [f"{at}.{part}.conv.weight" for at in (*_SPLITS, "model.9") for part in ("cv1", "cv2")]
    needed += [f"{HEAD}.{part}.{level}.2.weight" for part in ("cv2", "cv3") for level in range(len(STRIDES))]
    return [name for name in needed if name not in names]


class YoloNetwork:
    """The network, float32, ready to be asked.

    Attributes:
        classes: how many it tells apart.
        maps: of the segmentation; 0 for one that finds boxes alone.
    """

    def __init__(self, weights: Weights) -> None:
        """`weights`: by their names in the file, on the device that computes."""
        self._weights = {name: tensor.float() for name, tensor in weights.items()}
        self.classes = len(self._weights[f"{HEAD}.cv3.0.2.weight"])
        self.maps = len(self._weights[f"{HEAD}.cv4.0.2.weight"]) if f"{HEAD}.cv4.0.2.weight" in self._weights else 0

    @property
    def device(self) -> torch.device:
        return self._weights["model.0.conv.weight"].device

    @torch.inference_mode()
    def __call__(self, pixels: Tensor) -> tuple[Tensor, Tensor | None]:
        """Ask about one picture, (1, 3, H, W) in 0..1 with sides that are multiples of 32.

        Returns:
            (cells, 4 + classes + maps): centre, width and height in pixels, scores 0..1, coefficients of the maps;
            and the maps (maps, H / 4, W / 4), or None.
        """
        levels = self._levels(pixels)
        rows = torch.cat([self._head(level, number) for number, level in enumerate(levels)])
        return rows, self._prototypes(levels[0]) if self.maps else None

    def _levels(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The features on which the head looks, of strides 8, 16 and 32."""
        x = self._conv(self._conv(pixels, "model.0", 2), "model.1", 2)
        x = self._split(x, "model.2", adds=True)
        eighth = self._split(self._conv(x, "model.3", 2), "model.4", adds=True)
        sixteenth = self._split(self._conv(eighth, "model.5", 2), "model.6", adds=True)
        deep = self._pooled(self._split(self._conv(sixteenth, "model.7", 2), "model.8", adds=True))
        middle = self._split(torch.cat([_doubled(deep), sixteenth], 1), "model.12")
        fine = self._split(torch.cat([_doubled(middle), eighth], 1), "model.15")
        middle = self._split(torch.cat([self._conv(fine, "model.16", 2), middle], 1), "model.18")
        coarse = self._split(torch.cat([self._conv(middle, "model.19", 2), deep], 1), "model.21")
        return fine, middle, coarse

    def _head(self, features: Tensor, level: int) -> Tensor:
        """The rows of one level, cell by cell."""
        height, width = features.shape[-2:]
        sides = self._branch(features, "cv2", level).reshape(4, BINS, height * width).softmax(1)
        steps = torch.arange(BINS, dtype=torch.float32, device=features.device)
        left, top, right, bottom = (sides * steps[:, None]).sum(1)
        grid = torch.meshgrid(
            torch.arange(height, device=features.device), torch.arange(width, device=features.device), indexing="ij"
        )
        y, x = (one.reshape(-1) + 0.5 for one in grid)
        box = torch.stack([x + (right - left) / 2, y + (bottom - top) / 2, left + right, top + bottom]) * STRIDES[level]
        scores = self._branch(features, "cv3", level).reshape(self.classes, -1).sigmoid()
        parts = [box, scores]
        if self.maps:
            parts.append(self._branch(features, "cv4", level).reshape(self.maps, -1))
        return torch.cat(parts).T

    def _branch(self, features: Tensor, part: str, level: int) -> Tensor:
        at = f"{HEAD}.{part}.{level}"
        x = self._conv(self._conv(features, f"{at}.0"), f"{at}.1")
        return functional.conv2d(x, self._weights[f"{at}.2.weight"], self._weights[f"{at}.2.bias"])[0]

    def _prototypes(self, fine: Tensor) -> Tensor:
        at = f"{HEAD}.proto"
        x = self._conv(fine, f"{at}.cv1")
        up = (self._weights[f"{at}.upsample.weight"], self._weights[f"{at}.upsample.bias"])
        x = functional.conv_transpose2d(x, *up, stride=2)
        return self._conv(self._conv(x, f"{at}.cv2"), f"{at}.cv3")[0]

    def _conv(self, x: Tensor, at: str, stride: int = 1) -> Tensor:
        """Convolution, batch normalisation, SiLU."""
        weight = self._weights[f"{at}.conv.weight"]
        x = functional.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2)
        norm = [self._weights[f"{at}.bn.{name}"] for name in ("running_mean", "running_var", "weight", "bias")]
        return functional.silu(functional.batch_norm(x, norm[0], norm[1], norm[2], norm[3], eps=EPSILON))

    def _split(self, x: Tensor, at: str, *, adds: bool = False) -> Tensor:
        """Half of the channels goes through blocks, whose results are all kept. `adds`: each block adds its input."""
        parts = list(self._conv(x, f"{at}.cv1").chunk(2, 1))
        number = 0
        while f"{at}.m.{number}.cv1.conv.weight" in self._weights:
            made = self._conv(self._conv(parts[-1], f"{at}.m.{number}.cv1"), f"{at}.m.{number}.cv2")
            parts.append(parts[-1] + made if adds else made)
            number += 1
        return self._conv(torch.cat(parts, 1), f"{at}.cv2")

    def _pooled(self, x: Tensor) -> Tensor:
        parts = [self._conv(x, "model.9.cv1")]
        for _ in range(3):
            parts.append(functional.max_pool2d(parts[-1], 5, stride=1, padding=2))
        return self._conv(torch.cat(parts, 1), "model.9.cv2")


def _doubled(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")

"""What a network says of the noise that was added to a picture, at several levels, as plain data."""

from dataclasses import dataclass, field

from PIL import Image

from webui.domain.result import Notice

LEVELS = 26  # at which the network is asked
LONGEST_SIDE = 512  # pixels; larger pictures are made smaller first
SIDE_STEP = 64  # pixels; sides are multiples of it, which every family takes


@dataclass(frozen=True, slots=True)
class NoisedPicture:
    """A picture with noise added at `LEVELS` levels, from the lowest timestep to the highest.

    Attributes:
        atlas: tiles of one size. Row 0 has the true noise alone; then come rows of the noised picture, of the predicted
            noise and of the clean estimate, `columns` levels in each.
        columns: tiles in a row.
        tile: (width, height) of a tile in pixels.
        timesteps, sigmas: of the levels.
        losses: mean square of (predicted noise - true noise), as in training.
        is_decoded: whether noised picture and clean estimate went through the VAE; else their colours are approximate.
        notices: what the user should know beside it.
    """

    atlas: Image.Image
    columns: int
    tile: tuple[int, int]
    timesteps: tuple[float, ...]
    sigmas: tuple[float, ...]
    losses: tuple[float, ...]
    is_decoded: bool
    notices: tuple[Notice, ...] = field(default=())

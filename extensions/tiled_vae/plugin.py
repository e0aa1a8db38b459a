"""Has the VAE work in tiles for the length of a job: options, A1111's arguments, and the hook. The program does it."""

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from pydantic import ConfigDict, Field

from webui.extension_api import Dialect, JobContext, Options, form_hint, hint, hookimpl

if TYPE_CHECKING:
    from webui.extension_api.tensors import LoadedModel


class TiledVaeOptions(Options):
    """Pictures that are hardly larger than a tile are not tiled."""

    model_config = ConfigDict(
        json_schema_extra=form_hint(group="expert", summary="{encoder_tile_size} px, {decoder_tile_size} cells")
    )

    enabled: bool = Field(True, json_schema_extra=hint(control="master"))
    encoder_tile_size: int = Field(
        960,
        ge=64,
        le=8192,
        multiple_of=8,
        description="side of the tiles that are encoded",
        json_schema_extra=hint(span=(256, 4096, 16), unit="px"),
    )
    decoder_tile_size: int = Field(
        64,
        ge=8,
        le=1024,
        description="side of the tiles that are decoded, in latent cells of 8 pixels",
        json_schema_extra=hint(span=(48, 512, 16)),
    )
    fast_decoder: bool = Field(
        True, description="one tile after another, with statistics of a small copy: needs memory for one tile only"
    )
    fast_encoder: bool = Field(
        True, description="one tile after another, with statistics of a small copy: needs memory for one tile only"
    )
    color_fix: bool = Field(
        False,
        description="with the fast encoder: estimate up to its first downsampling only, where colours go astray",
        json_schema_extra=hint(label="Colour fix", when={"fast_encoder": [True]}),
    )


@hookimpl
def request_options() -> type[Options]:
    """What a request may ask for."""
    return TiledVaeOptions


@hookimpl
def dialect() -> Dialect:
    """A1111's arguments by position; the fourth, whether the VAE moves to the GPU, goes nowhere: it is there."""
    names = ("enabled", "encoder_tile_size", "decoder_tile_size", "", "fast_decoder", "fast_encoder", "color_fix")
    return Dialect(script_names=("Tiled VAE",), script_args=names)


@hookimpl
def join_job(job: JobContext) -> object | None:
    """Join where it is switched on."""
    options = job.options
    return InTiles(options) if isinstance(options, TiledVaeOptions) and options.enabled else None


class InTiles:
    """Tells the VAE of each model of the job."""

    def __init__(self, options: TiledVaeOptions) -> None:
        self._options = options

    @hookimpl
    def patch_model(self, model: "LoadedModel") -> AbstractContextManager[None]:
        """For the length of the job."""
        from webui.extension_api.tensors import VaeTiling  # loads torch

        options = self._options
        return model.vae.in_tiles(
            VaeTiling(
                options.encoder_tile_size,
                options.decoder_tile_size,
                options.fast_encoder,
                options.fast_decoder,
                options.color_fix,
            )
        )

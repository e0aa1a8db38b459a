"""Bodies of the A1111-compatible routes: names, defaults and leniency are A1111's, not ours."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from webui.api.sdapi.coerce import Float, Int, Text

NOT_NULL = ("script_args", "alwayson_scripts", "send_images", "save_images", "sampler_index")


class Txt2ImgBody(BaseModel):
    """Body of `POST /sdapi/v1/txt2img`. Unknown fields are ignored; null means the default."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    prompt: Text = ""
    negative_prompt: Text = ""
    styles: list[Text] | None = None
    seed: Int = -1
    subseed: Int = -1
    subseed_strength: Float = 0.0
    seed_resize_from_h: Int = -1
    seed_resize_from_w: Int = -1
    sampler_name: Text | None = None
    sampler_index: Text = Field("Euler", description="older name of sampler_name; a name, not a number")
    scheduler: Text | None = None
    batch_size: Int = 1
    n_iter: Int = 1
    steps: Int = 50
    cfg_scale: Float = 7.0
    width: Int = 512
    height: Int = 512
    restore_faces: bool | None = None
    tiling: bool | None = None
    do_not_save_samples: bool = False
    do_not_save_grid: bool = False
    eta: Float | None = None
    denoising_strength: Float | None = None
    s_min_uncond: Float | None = None
    s_churn: Float | None = None
    s_tmax: Float | None = None
    s_tmin: Float | None = None
    s_noise: Float | None = None
    override_settings: dict[str, Any] | None = None
    override_settings_restore_afterwards: bool = True
    refiner_checkpoint: Text | None = None
    refiner_switch_at: Float | None = None
    disable_extra_networks: bool = False
    enable_hr: bool = False
    script_name: Text | None = None
    script_args: list[Any] = Field(default_factory=list)
    send_images: bool = True
    save_images: bool = False
    alwayson_scripts: dict[str, Any] = Field(default_factory=dict)
    infotext: Text | None = None

    @model_validator(mode="before")
    @classmethod
    def _null_is_default(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {name: value for name, value in data.items() if value is not None or name in NOT_NULL}

    @property
    def sampler(self) -> str:
        """The sampler asked for, whichever field carries it."""
        return self.sampler_name or self.sampler_index


class PngInfoBody(BaseModel):
    """Body of `POST /sdapi/v1/png-info`."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    image: str = Field(description="base64, with or without a data:image/... prefix")

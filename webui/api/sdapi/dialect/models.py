"""Bodies of the A1111-compatible routes: names, defaults and leniency are A1111's, not ours."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from webui.api.sdapi.dialect.coerce import Float, Int, Text

NOT_NULL = (
    "script_args", "alwayson_scripts", "send_images", "save_images", "sampler_index", "include_init_images",
)  # fmt: skip


class GenerationBody(BaseModel):
    """What both ways of generating take. Unknown fields are ignored; null means the default."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    prompt: Text = ""
    negative_prompt: Text = ""
    force_task_id: Text | None = None
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
        return {name: value for name, value in data.items() if value is not None or name in cls.not_null()}

    @classmethod
    def not_null(cls) -> tuple[str, ...]:
        """Fields in which null is an error."""
        return NOT_NULL

    @property
    def sampler(self) -> str:
        """The sampler asked for, whichever field carries it."""
        return self.sampler_name or self.sampler_index


class Txt2ImgBody(GenerationBody):
    """Body of `POST /sdapi/v1/txt2img`."""

    denoising_strength: Float | None = Field(None, description="of hires fix; null: 0.7")
    enable_hr: bool = Field(False, description="hires fix: a second pass over the enlarged picture")
    hr_scale: Float = 2.0
    hr_upscaler: Text | None = Field(None, description="null: Latent")
    hr_second_pass_steps: Int = Field(0, description="0: as many as in the first pass")
    hr_resize_x: Int = 0
    hr_resize_y: Int = 0
    hr_checkpoint_name: Text | None = None
    hr_sampler_name: Text | None = None
    hr_scheduler: Text | None = None
    hr_prompt: Text = ""
    hr_negative_prompt: Text = ""
    hr_cfg: Float | None = Field(None, description="null: as in the first pass")
    firstphase_width: Int = Field(0, description="old clients: with it width and height are those of the second pass")
    firstphase_height: Int = 0
    firstpass_image: Text | None = Field(None, description="a picture in base64 in place of the first pass")


class Img2ImgBody(GenerationBody):
    """Body of `POST /sdapi/v1/img2img`."""

    init_images: list[Text] | None = Field(None, description="one picture in base64; every image starts from it")
    resize_mode: Int = Field(0, description="0 just resize, 1 crop and resize, 2 resize and fill, 3 latent upscale")
    denoising_strength: Float = 0.75
    image_cfg_scale: Float | None = None
    mask: Text | None = None
    mask_blur: Int | None = None
    mask_blur_x: Int = 4
    mask_blur_y: Int = 4
    mask_round: bool = True
    inpainting_fill: Int = 0
    inpaint_full_res: bool = True
    inpaint_full_res_padding: Int = 0
    inpainting_mask_invert: Int = 0
    initial_noise_multiplier: Float | None = None
    latent_mask: Text | None = None
    include_init_images: bool = Field(False, description="false: the answer does not repeat the pictures sent")

    @classmethod
    def not_null(cls) -> tuple[str, ...]:
        return (*NOT_NULL, "denoising_strength")


class PngInfoBody(BaseModel):
    """Body of `POST /sdapi/v1/png-info`."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    image: str = Field(description="base64, with or without a data:image/... prefix")

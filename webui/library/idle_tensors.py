"""Tensors of checkpoints and VAEs that are known and of no use for making pictures, each kind with its reason."""

import re
from types import MappingProxyType

_SCHEDULE = (
    r"(model\.|model_sampling\.)?(betas|alphas_cumprod(_prev)?|sqrt_(one_minus_)?alphas_cumprod"
    r"|sqrt_recip(m1)?_alphas_cumprod|log_one_minus_alphas_cumprod|posterior_(variance|log_variance_clipped"
    r"|mean_coef[12])|lvlb_weights|logvar|sigmas|log_sigmas)"
)
_KINDS = MappingProxyType(
    {
        r"(model_ema|ema|ema_model|first_stage_model\.model_ema)\..*": "a running average that training keeps",
        r"(optimizer|optimizers|optimizer_states|lr_schedulers|callbacks|loops)(\..*)?": "the state of training",
        r"(global_step|epoch|step|num_updates|pytorch-lightning_version)": "the state of training",
        r"((first_stage_model|vae)\.)?(loss|discriminator)\..*": "what training measured a loss with",
        rf"{_SCHEDULE}|denoiser\.(log_)?sigmas|scale_factor": "noise levels, which are those of the family",
        r".*\.position_ids": "the numbers of positions, which are counted here",
        r".*\.attn_mask": "the mask of a text encoder, which is built here",
        r"v_pred|ztsnr": "a marker, which is read with the header",
        r"scaled_fp8|.*\.(scale_input|input_scale)": "for products in float8; the weights are multiplied out",
        r"(cond_stage_model|conditioner\.embedders\.\d+)\..*(text_projection(\.weight)?|logit_scale)":
            "the pooled text, which this family does not use",
        r"(cond_stage_model|conditioner\.embedders\.\d+)\.(model\.visual|transformer\.vision_model"
        r"|transformer\.visual_projection)\..*|(embedder|noise_augmentor)\..*":
            "the half of CLIP that looks at pictures",
        r"depth_model\.model\.pretrained\.model\.(norm|head|head_dist|patch_embed\.backbone\.(head|norm))\..*":
            "parts of the depth network that estimate no depth",
        r"safety_(checker|model)\..*": "a filter of pictures",
    }
)  # fmt: skip
_PATTERNS = tuple((re.compile(pattern), reason) for pattern, reason in _KINDS.items())


def idle_reason(name: str) -> str:
    """Why a tensor of this name is left out on purpose; "" for one that nobody knows."""
    return next((reason for pattern, reason in _PATTERNS if pattern.fullmatch(name)), "")

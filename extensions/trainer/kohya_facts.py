"""What a network file says of its training, in the words of kohya's trainer (`ss_*`), which A1111 shows.

No time of day is among them: the same settings on the same pictures make the same file, byte for byte.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from torch import Tensor

from webui.extension_api.tensors import ModelSpec

from .cached_latents import TrainedPicture
from .options import TrainOptions
from .tensor_files import body_hash, legacy_hash

_OPTIMIZERS = MappingProxyType({
    "adamw": "torch.optim.adamw.AdamW", "adamw_8bit": "bitsandbytes.optim.adamw.AdamW8bit",
    "prodigy": "prodigyopt.prodigy.Prodigy", "lion": "lion_pytorch.lion_pytorch.Lion",
})  # fmt: skip


def facts(
    options: TrainOptions,
    spec: ModelSpec,
    pictures: Sequence[TrainedPicture],
    *,
    base_hash: str,
    step: int,
    steps_of_epoch: int,
    steps: int,
) -> dict[str, str]:
    """The metadata of a file that was written after `step` steps.

    Args:
        base_hash: SHA-256 of the checkpoint.
    """
    version = spec.family.trainer_name or spec.family.name
    count = sum(one.item.repeats for one in pictures)
    values: dict[str, object] = {
        "ss_output_name": options.output,
        "ss_sd_model_name": options.base,
        "ss_new_sd_model_hash": base_hash,
        "ss_base_model_version": version,
        "ss_v2": version.startswith("sd_v2"),
        "ss_v_parameterization": spec.prediction == "v",
        "ss_clip_skip": options.clip_skip,
        "ss_max_token_length": options.caption_chunks * spec.family.text.chunk,
        "ss_seed": options.seed,
        "ss_steps": step,
        "ss_max_train_steps": steps,
        "ss_epoch": -(-step // steps_of_epoch),
        "ss_num_epochs": -(-steps // steps_of_epoch),
        "ss_num_train_images": count,
        "ss_num_reg_images": 0,
        "ss_num_batches_per_epoch": steps_of_epoch * options.accumulation,
        "ss_batch_size_per_device": options.batch_size,
        "ss_total_batch_size": options.batch_size,
        "ss_gradient_accumulation_steps": options.accumulation,
        "ss_gradient_checkpointing": options.checkpointing,
        "ss_learning_rate": options.rate,
        "ss_unet_lr": options.rate,
        "ss_text_encoder_lr": options.text_learning_rate,
        "ss_lr_scheduler": options.schedule,
        "ss_lr_warmup_steps": options.warmup,
        "ss_optimizer": f"{_OPTIMIZERS[options.optimizer]}(weight_decay={options.weight_decay})",
        "ss_max_grad_norm": options.clip_norm,
        "ss_min_snr_gamma": options.min_snr_gamma or None,
        "ss_noise_offset": options.noise_offset or None,
        "ss_caption_dropout_rate": options.caption_dropout,
        "ss_loss_type": "l2",
        "ss_cache_latents": True,
        "ss_resolution": f"({options.resolution}, {options.resolution})",
        "ss_flip_aug": options.flip,
        "ss_color_aug": False,
        "ss_random_crop": False,
        "ss_shuffle_caption": options.shuffle_caption,
        "ss_keep_tokens": options.keep_tokens,
        "ss_enable_bucket": options.buckets,
        "ss_bucket_no_upscale": False,
        "ss_min_bucket_reso": options.min_bucket,
        "ss_max_bucket_reso": options.max_bucket,
        "ss_bucket_info": json.dumps(_buckets(pictures)),
        "ss_dataset_dirs": json.dumps(_folders(pictures)),
        "ss_tag_frequency": json.dumps(_tags(pictures)),
        **(_network(options) if options.is_low_rank else {}),
    }
    return {name: str(value) for name, value in values.items()}


def with_hashes(metadata: Mapping[str, str], tensors: Mapping[str, Tensor]) -> dict[str, str]:
    """The metadata with the hashes by which files are told apart."""
    return {
        **metadata,
        "sshs_model_hash": body_hash(tensors),
        "sshs_legacy_hash": legacy_hash(tensors, metadata),
    }


def _network(options: TrainOptions) -> dict[str, object]:
    kind: dict[str, object] = {}
    if options.method == "locon":
        kind = {"conv_dim": str(options.conv_rank), "conv_alpha": str(options.conv_alpha)}
    elif options.method == "dora":
        kind = {"algo": "lora", "dora_wd": "True", "wd_on_output": "True"}
    return {
        "ss_network_module": "lycoris.kohya" if options.method == "dora" else "networks.lora",
        "ss_network_dim": options.rank,
        "ss_network_alpha": options.alpha,
        "ss_network_dropout": None,
        **({"ss_network_args": json.dumps(kind)} if kind else {}),
    }


def _buckets(pictures: Sequence[TrainedPicture]) -> dict[str, object]:
    counts: Counter[tuple[int, int]] = Counter()
    for one in pictures:
        counts[one.fit.bucket.width, one.fit.bucket.height] += one.item.repeats
    rows = {
        str(number): {"resolution": list(size), "count": counts[size]} for number, size in enumerate(sorted(counts))
    }
    return {"buckets": rows}


def _folders(pictures: Sequence[TrainedPicture]) -> dict[str, object]:
    found: dict[str, dict[str, int]] = {}
    for one in pictures:
        row = found.setdefault(one.item.path.parent.name, {"n_repeats": one.item.repeats, "img_count": 0})
        row["img_count"] += 1
    return {**found}


def _tags(pictures: Sequence[TrainedPicture]) -> dict[str, object]:
    found: dict[str, Counter[str]] = {}
    for one in pictures:
        tags = [tag.strip() for tag in one.item.caption.split(",") if tag.strip()]
        found.setdefault(one.item.path.parent.name, Counter()).update(tags)
    return {folder: dict(counts) for folder, counts in found.items()}

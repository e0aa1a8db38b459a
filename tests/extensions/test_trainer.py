"""Training by the action, on tiny networks: what it writes, that it goes on exactly, and what it leaves behind."""

import base64
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from extensions.lora.layers import layers_of
from extensions.lora.network import Network, read_network
from extensions.lora.patch import NetworkPatch, Wanted, look
from extensions.trainer.kept_runs import SamplesOptions, kept_run, kept_samples
from extensions.trainer.options import RunOptions
from extensions.trainer.run_folders import listed_runs
from extensions.trainer.trained_adapters import AdapterNetworks
from tests.extensions.training_rooms import Room, options, put_pictures
from tests.narrowing import untyped
from webui.extension_api import BadRequestError, Cancelled, UnusableFileError
from webui.extension_api.tensors import ClipTower, LoadedModel, TensorFile, embedding_of

METHODS: dict[str, dict[str, Any]] = {
    "lora": {"method": "lora", "text_learning_rate": 1e-2},
    "locon": {"method": "locon", "conv_rank": 3, "conv_alpha": 1.5, "optimizer": "lion"},
    "dora": {"method": "dora", "optimizer": "prodigy", "learning_rate": None},
    "textual_inversion": {"method": "textual_inversion", "vectors": 2, "initial_word": "red thing"},
    "finetune": {"method": "finetune", "learning_rate": 1e-3},
}
BUCKETS: dict[str, Any] = {"resolution": 96, "bucket_step": 32}
RANDOM: dict[str, Any] = {
    "flip": True,
    "shuffle_caption": True,
    "keep_tokens": 1,
    "caption_dropout": 0.2,
    "noise_offset": 0.1,
}


@pytest.fixture
def room(tiny_models_dir: Path, tmp_path: Path) -> Room:
    """The tiny checkpoints, with folders that may be written to."""
    models = tmp_path / "models"
    for name in ("Lora", "embeddings", "Stable-diffusion"):
        (models / name).mkdir(parents=True)
    for path in (tiny_models_dir / "Stable-diffusion").iterdir():
        (models / "Stable-diffusion" / path.name).symlink_to(path)
    made = Room(models, tmp_path / "data")
    put_pictures(made.data_dir / "data_sets" / "things" / "2_thing", ((64, 64), (90, 70), (64, 64), (60, 200)))
    return made


@pytest.fixture
def xl_room(reference_models_dir: Path, room: Room) -> Room:
    """The same with a checkpoint that has two text encoders and a vector of sizes."""
    folder = room.models_dir / "Stable-diffusion"
    tensors = load_file(reference_models_dir / "Stable-diffusion" / "tiny-xl.safetensors")
    generator = torch.Generator().manual_seed(1)
    for name, value in tensors.items():  # the reference's UNet is made to pass pictures through
        if name.startswith("model.diffusion_model."):
            is_norm = value.dim() == 1 and name.endswith("weight")
            tensors[name] = (0.1 * torch.randn(value.shape, generator=generator) + is_norm).to(value)
    save_file(tensors, folder / "tiny-xl.safetensors")
    (folder / "tiny-xl.yaml").symlink_to(reference_models_dir / "Stable-diffusion" / "tiny-xl.yaml")
    return room


def fresh(room: Room, name: str = "tiny-sd1") -> LoadedModel:
    return room.context().models.read_checkpoint(name, torch.device("cpu"), torch.float32)


@pytest.fixture(scope="module")
def base(tiny_models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    """What most runs begin with. Nobody trains it."""
    return fresh(Room(tiny_models_dir, tmp_path_factory.mktemp("base")))


def network(path: Path) -> Network:
    with TensorFile(path) as file:
        return read_network(file, path.name)


def answer(model: LoadedModel) -> Tensor:
    """What text encoder and UNet answer to something."""
    texts = [untyped(one).encode(torch.tensor([[49406, 320, 736, *[49407] * 74]]), [[]], clip_skip=0) for one in
             model.text.encoders]  # fmt: skip
    latents = torch.linspace(-1, 1, 4 * 64).reshape(1, 4, 8, 8)
    width = model.unet.shape.vector_width
    vector = None if width is None else torch.linspace(-1, 1, width)[None]
    with torch.no_grad():
        made: Tensor = model.unet.module(
            latents, torch.tensor([500]), torch.cat([one.hidden for one in texts], -1), class_labels=vector,
            return_dict=False,
        )[0]  # fmt: skip
    return made


@pytest.mark.parametrize("method", ["lora", "locon", "dora"])
def test_the_file_does_in_our_loader_what_was_trained(room: Room, base: LoadedModel, method: str) -> None:
    """The network with peft's adapters, brought to what the run ended with, answers as the base with the file."""
    about = {**METHODS[method], **RANDOM, "optimizer": "adamw", "learning_rate": 1e-2}
    result = room.train(**about)
    assert room.state()["state"] == "done"
    assert room.state()["step"] == 4
    [path] = result.files
    found = network(path)
    assert not found.told
    fit = look(found, layers_of(base))
    assert not fit.missing
    assert not fit.shapes
    assert len(fit.fitting) == len(found.changes)
    before = answer(base)
    with NetworkPatch(base, [Wanted(found, 1.0, 1.0)], key=None):
        patched = answer(base)
    trained = fresh(room)
    adapters = AdapterNetworks(trained, options(**about))
    state = load_file(room.data_dir / "training" / "made" / "state.safetensors")
    with torch.no_grad():
        for name, value in adapters.parameters.items():
            value.copy_(state[f"weight.{name}"])
    torch.testing.assert_close(patched, answer(trained), rtol=1e-4, atol=1e-4)
    assert float((patched - before).abs().max()) > 1e-3
    torch.testing.assert_close(answer(base), before, rtol=0, atol=0)


def test_the_file_is_named_and_told_as_kohya_does(room: Room) -> None:
    path = room.train(**METHODS["locon"]).files[0]
    assert path == room.models_dir / "Lora" / "made.safetensors"
    with safe_open(path, "pt") as file:
        names, facts = set(file.keys()), file.metadata()
    layers = {name.partition(".")[0] for name in names}
    assert names == {f"{one}.{part}" for one in layers for part in ("lora_up.weight", "lora_down.weight", "alpha")}
    block = "lora_unet_down_blocks_0_attentions_0"
    parts = ("attn1_to_q", "attn1_to_out_0", "attn2_to_k", "attn2_to_v", "ff_net_0_proj", "ff_net_2")
    wanted = {f"{block}_proj_in", f"{block}_proj_out", *(f"{block}_transformer_blocks_0_{one}" for one in parts)}
    wanted |= {f"lora_unet_up_blocks_1_resnets_0_{one}" for one in ("conv1", "conv2", "conv_shortcut", "time_emb_proj")}
    assert wanted | {"lora_unet_down_blocks_0_downsamplers_0_conv", "lora_unet_up_blocks_0_upsamplers_0_conv"} <= layers
    tensors = load_file(path)
    assert tensors["lora_unet_mid_block_resnets_0_conv1.lora_down.weight"].shape == (3, 64, 3, 3)
    assert float(tensors["lora_unet_mid_block_resnets_0_conv1.alpha"]) == 1.5
    assert float(tensors[f"{block}_proj_in.alpha"]) == 2.0
    assert facts["ss_network_module"] == "networks.lora"
    assert facts["ss_network_dim"] == "2"
    assert facts["ss_network_args"] == '{"conv_dim": "3", "conv_alpha": "1.5"}'
    assert facts["ss_base_model_version"] == "sd_v1"
    assert facts["ss_output_name"] == "made"
    assert facts["ss_dataset_dirs"] == '{"2_thing": {"n_repeats": 2, "img_count": 4}}'
    assert '"a red thing": 4' in facts["ss_tag_frequency"]
    data = path.read_bytes()
    body = data[8 + int.from_bytes(data[:8], "little") :]
    assert facts["sshs_model_hash"] == hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize("method", ["lora", "dora", "textual_inversion", "finetune"])
def test_a_run_that_was_killed_makes_the_same_file(room: Room, method: str) -> None:
    """It goes on at the last checkpoint, although more steps were done, and comes to the very bytes."""
    about = {**METHODS[method], **RANDOM, "save_every": 2, "steps": 4, "accumulation": 2, "batch_size": 1}
    whole = room.train(**about).files[0]
    wanted = whole.read_bytes()
    whole.unlink()
    (room.data_dir / "training" / "made").rename(room.data_dir / "whole")

    def killed(done: int, total: int, text: str) -> None:
        if text.startswith("step 3"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        room.train(room.context(progress=killed), **about)
    assert not whole.exists()
    assert room.places[-2:] == [({"resume": "made"}, 0), ({"resume": "made"}, 2)]
    assert listed_runs(room.context()) == [
        {"run": "made", "step": 2, "steps": 4, "state": "training", "method": method, "base": "tiny-sd1", "output": ""}
    ]
    assert room.train(resume="made").files == (whole,)
    assert whole.read_bytes() == wanted
    with pytest.raises(BadRequestError, match="made is done"):
        room.train(resume="made")
    noted = room.data_dir / "training" / "made" / "run.json"
    noted.write_text(noted.read_text().replace('"done"', '"saving"'))  # as it is between the file and its note
    assert room.train(resume="made").files == (whole,)
    assert whole.read_bytes() == wanted


def test_a_run_is_shown_as_it_lies_on_the_disk(room: Room) -> None:
    room.train(sample_prompts="a cat", sample_every=0, save_every=3)
    folder = room.data_dir / "training" / "made" / "samples"
    for path in folder.iterdir():
        path.unlink()
    Image.new("RGB", (700, 350), "red").save(folder / "00000003-1.png")
    (folder / "00000003-0.png").write_bytes(b"torn")
    told = untyped(kept_run(RunOptions(run="made"), room.context()).data)
    assert told["losses"] == json.loads(room.told["losses"])
    assert len(told["losses"]) == 4
    assert told["training"]["average_loss"] == room.state()["average_loss"] > 0
    assert {name: told["training"][name] for name in ("run", "state", "step", "steps", "prompts", "output")} == {
        "run": "made", "state": "done", "step": 4, "steps": 4, "prompts": ["a cat"], "output": "made.safetensors",
    }  # fmt: skip
    assert told["samples"] == ["sample_3_0", "sample_3_1"]
    asked = SamplesOptions(run="made", names=(*told["samples"], "sample_9_9", "../run.json"))
    made = untyped(kept_samples(asked, room.context()).data)
    assert made.keys() == {"sample_3_1"}
    with Image.open(io.BytesIO(base64.b64decode(made["sample_3_1"]))) as picture:
        assert picture.size == (512, 256)
    (room.data_dir / "training" / "made" / "state.safetensors").write_bytes(b"torn")
    assert untyped(kept_run(RunOptions(run="made"), room.context()).data)["losses"] == []


def test_stopping_pauses_and_others_that_wait_come_first(room: Room) -> None:
    wanted = room.train(output="whole", steps=3).files[0]
    asked = iter([False] * 9 + [True] * 9)
    paused = room.train(room.context(stopped=lambda: next(asked)), steps=3)
    assert paused.data == {"run": "made", "output": "", "step": 1, "state": "paused"}
    assert paused.again == {"resume": "made"}, "where it was the program that stopped it"
    caption = room.data_dir / "data_sets" / "things" / "2_thing" / "0.txt"
    words = caption.read_text()
    caption.write_text("another thing")
    with pytest.raises(BadRequestError, match="have changed since the run made began; put them back"):
        room.train(resume="made")
    caption.write_text(words)
    told = room.train(room.context(others_wait=lambda: True), resume="made")
    assert told.again is None, "it waits for the end, unless it was told to share"
    assert load_file(told.files[0]).keys() == load_file(wanted).keys()
    assert all(torch.equal(value, load_file(wanted)[name]) for name, value in load_file(told.files[0]).items())
    shared = room.train(room.context(others_wait=lambda: True), steps=2, output="shared", share="between")
    assert shared.again == {"resume": "shared"}
    assert not shared.files
    assert room.train(**untyped(shared.again)).files[0].name == "shared.safetensors"


def test_accumulating_two_is_a_batch_of_two(room: Room) -> None:
    about: dict[str, Any] = {"steps": 3, "optimizer": "adamw", "buckets": False, "min_snr_gamma": 5.0}
    both = load_file(room.train(output="both", batch_size=2, **about).files[0])
    turns = load_file(room.train(output="turns", batch_size=1, accumulation=2, checkpointing=True, **about).files[0])
    for name, value in both.items():
        torch.testing.assert_close(turns[name], value, rtol=1e-3, atol=1e-4)


def test_a_rate_of_nothing_teaches_nothing(room: Room, base: LoadedModel) -> None:
    found = network(room.train(learning_rate=0.0, weight_decay=0.0).files[0])
    before = answer(base)
    with NetworkPatch(base, [Wanted(found, 1.0, 1.0)], key=None):
        assert torch.equal(answer(base), before)


@pytest.mark.parametrize("at", [0, 4, 7])
def test_stopping_before_the_first_step_leaves_nothing(room: Room, at: int) -> None:
    """While pictures are looked at, while they are encoded, and just before the first step."""
    asked: list[bool] = []

    def stopped() -> bool:
        asked.append(True)
        return len(asked) > at

    with pytest.raises(Cancelled):
        room.train(room.context(stopped=stopped))
    assert not list(room.data_dir.glob("training/*"))
    assert not list(room.models_dir.glob("Lora/*"))


def test_a_broken_picture_is_named_with_what_to_do(room: Room) -> None:
    (room.data_dir / "data_sets" / "things" / "2_thing" / "2.png").write_bytes(b"\x89PNG\r\n\x1a\n no more")
    with pytest.raises(UnusableFileError, match=r"2_thing/2\.png: is no picture .* save it anew or take it out"):
        room.train()
    assert not list(room.data_dir.glob("training/*"))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"base": ""}, "needs a checkpoint"), ({"data_set": "nothing"}, "there are: things"),
        ({"output": "../out"}, "give a name of letters"), ({"base": "tiny-inpaint"}, "takes more than text"),
        ({"resume": "nothing"}, "there are: none"), ({"output": "taken"}, "is there already"),
        ({"method": "textual_inversion", "initial_word": " "}, None),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_is_refused(room: Room, wrong: dict[str, Any], told: str | None) -> None:
    (room.models_dir / "Lora" / "taken.safetensors").touch()
    if told is None:
        assert room.train(**wrong).files
        return
    with pytest.raises((BadRequestError, UnusableFileError), match=told):
        room.train(**wrong)
    assert not list(room.data_dir.glob("training/*"))


def test_a_new_word_is_a_file_that_the_prompt_knows(room: Room, base: LoadedModel) -> None:
    result = room.train(**METHODS["textual_inversion"], word="zarg")
    assert result.files[0] == room.models_dir / "embeddings" / "made.safetensors"
    tensors = load_file(result.files[0])
    assert {name: tuple(value.shape) for name, value in tensors.items()} == {"emb_params": (2, 64)}
    made = embedding_of("made", tensors, origin="made")
    assert isinstance(base.text.encoders[0], ClipTower)
    assert made.fits(base.text)
    untrained = load_file(room.train(**METHODS["textual_inversion"], output="still", learning_rate=0.0).files[0])
    assert not torch.equal(untrained["emb_params"], tensors["emb_params"])


def test_fine_tuning_writes_a_checkpoint_in_which_only_the_network_is_new(room: Room, base: LoadedModel) -> None:
    result = room.train(**METHODS["finetune"], file_precision="fp16")
    assert result.files[0] == room.models_dir / "Stable-diffusion" / "made.safetensors"
    old, made = load_file(room.models_dir / "Stable-diffusion" / "tiny-sd1.safetensors"), load_file(result.files[0])
    assert old.keys() == made.keys()
    assert all(made[name].shape == value.shape and made[name].dtype == value.dtype for name, value in old.items())
    changed = {name for name, value in old.items() if not torch.equal(made[name], value)}
    assert changed
    assert all(name.startswith("model.diffusion_model.") for name in changed)
    assert len(changed) > 0.9 * sum(name.startswith("model.diffusion_model.") for name in old)
    assert not torch.equal(answer(fresh(room, "made")), answer(base))


def test_samples_losses_and_buckets_are_told(room: Room) -> None:
    room.train(sample_prompts="a red thing\na blue thing", sample_every=2, sample_steps=2, files_every=3, **BUCKETS)
    assert {name for name in room.told if name.startswith("sample")} == {
        "sample_2_0", "sample_2_1", "sample_4_0", "sample_4_1",
    }  # fmt: skip
    state = room.state()
    assert state["output"] == "made.safetensors"
    assert state["images"] == 4
    assert sum(count for _, _, count in state["buckets"]) == 4
    assert len(state["buckets"]) > 1
    assert len(untyped(json.loads(room.told["losses"]))) == 4
    assert room.told["sample_2_0"] != room.told["sample_4_0"]
    assert (room.models_dir / "Lora" / "made-step00000003.safetensors").is_file()


@pytest.mark.parametrize("method", ["lora", "textual_inversion"])
def test_two_text_encoders_and_a_vector_of_sizes(xl_room: Room, method: str) -> None:
    about: dict[str, Any] = {**METHODS[method], "base": "tiny-xl", "caption_chunks": 2, "steps": 2}
    tensors = load_file(xl_room.train(**about).files[0])
    model = fresh(xl_room, "tiny-xl")
    if method == "textual_inversion":
        widths = {untyped(one).slot: untyped(one).width for one in model.text.encoders}
        assert {name: value.shape[1] for name, value in tensors.items()} == widths
        return
    heads = {name.partition("_text_model")[0] for name in tensors if name.startswith("lora_te")}
    assert heads == {"lora_te1", "lora_te2"}
    assert any(name.startswith("lora_unet_input_blocks_") for name in tensors)
    assert not any(name.startswith("lora_unet_down_blocks") for name in tensors)
    found = network(xl_room.models_dir / "Lora" / "made.safetensors")
    fit = look(found, layers_of(model))
    assert not fit.missing
    assert not fit.shapes
    before = answer(model)
    with NetworkPatch(model, [Wanted(found, 1.0, 1.0)], key=None):
        assert not torch.equal(answer(model), before)


def test_velocity_is_trained_where_the_checkpoint_answers_it(room: Room) -> None:
    """At the same numbers the two kinds of network are asked for other things, so other things are learned."""
    seen = {}
    for base in ("tiny-vpred", "tiny-sd1"):
        with safe_open(room.train(base=base, output=base.replace("-", " "), steps=1).files[0], "pt") as file:
            seen[base] = file.metadata()["ss_v_parameterization"]
    assert seen == {"tiny-vpred": "True", "tiny-sd1": "False"}

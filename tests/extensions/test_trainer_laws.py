"""The arithmetic of training: buckets, order, noise, losses, optimizers, files. Nothing is trained here."""

import hashlib
import json
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn

from extensions.trainer import objective, tensor_files
from extensions.trainer.buckets import Bucket, bucket_of, buckets, fit_of
from extensions.trainer.folders import data_sets, pictures
from extensions.trainer.optimizers import Group, build_optimizer, rate_share, restore_state, state_of
from extensions.trainer.options import TrainOptions
from extensions.trainer.run_reports import MOST_POINTS, LossCurve
from extensions.trainer.sample_order import Order
from extensions.trainer.tag_order import caption_of
from tests.extensions.training_rooms import Room, options, put_pictures
from tests.narrowing import untyped
from webui.extension_api import BadRequestError, UnusableFileError, WebuiError
from webui.extension_api.tensors import TensorEntry


def test_buckets_have_no_more_pixels_than_asked_and_sides_of_the_step() -> None:
    found = buckets(512, 64, 256, 1024)
    assert Bucket(512, 512) in found
    assert all(one.width * one.height <= 512 * 512 for one in found)
    assert all(side % 64 == 0 and 256 <= side <= 1024 for one in found for side in (one.width, one.height))
    assert {Bucket(one.height, one.width) for one in found} == set(found)


@pytest.mark.parametrize(
    ("size", "bucket"),
    [((512, 512), (512, 512)), ((3000, 2000), (640, 384)), ((2000, 3000), (384, 640)), ((9000, 1000), (1024, 256))],
)
def test_a_picture_goes_to_the_bucket_of_its_aspect(size: tuple[int, int], bucket: tuple[int, int]) -> None:
    assert bucket_of(*size, 512, 64, 256, 1024) == Bucket(*bucket)


def test_a_picture_covers_its_bucket_and_loses_as_little_as_it_can() -> None:
    fit = fit_of(3000, 2000, Bucket(640, 384))
    assert (fit.width, fit.height) == (640, 427)  # the width fits exactly
    assert fit.box == (0, 21, 640, 405)


def test_buckets_without_a_multiple_are_refused() -> None:
    with pytest.raises(ValueError, match="no multiple of 64"):
        buckets(512, 64, 70, 100)


def test_an_epoch_has_each_picture_as_often_as_its_folder_says_and_steps_have_one_bucket() -> None:
    where = [Bucket(64, 64)] * 3 + [Bucket(128, 64)] * 2
    order = Order(where, [2, 1, 1, 3, 1], 2, seed=5)
    epochs = [
        [order.step(epoch * order.steps_of_epoch + one) for one in range(order.steps_of_epoch)] for epoch in (0, 1)
    ]
    for steps in epochs:
        drawn = [draw.picture for step in steps for draw in step]
        assert sorted(drawn) == [0, 0, 1, 2, 3, 3, 3, 4]
        assert all(len({where[draw.picture] for draw in step}) == 1 for step in steps)
    counts = [draw.sample for steps in epochs for step in steps for draw in step]
    assert counts == list(range(16))
    assert epochs[0] != epochs[1]
    again = Order(where, [2, 1, 1, 3, 1], 2, seed=5)
    assert again.step(order.steps_of_epoch) == epochs[1][0]


@pytest.mark.parametrize("velocity", [False, True])
def test_min_snr_weighs_clean_latents_by_the_smaller_of_snr_and_gamma(velocity: bool) -> None:
    """Hang et al. 2023: w = min(SNR, gamma) on clean latents; a loss on the noise is SNR times that one, and one on v
    is SNR + 1 times.
    """
    alphas = torch.tensor([0.999, 0.9, 5 / 6, 0.5, 0.01])
    ratio = alphas / (1 - alphas)
    weight = objective.weights(alphas, 5.0, velocity=velocity)
    on_clean = weight * (ratio + 1 if velocity else ratio)
    torch.testing.assert_close(on_clean, ratio.clamp(max=5.0))
    assert objective.weights(alphas, 0.0, velocity=velocity).tolist() == [1.0] * 5


def test_v_and_noise_say_the_same_of_the_latents() -> None:
    latents, noise, alphas = torch.randn(3, 4, 2, 2), torch.randn(3, 4, 2, 2), torch.tensor([0.9, 0.5, 0.1])
    noised = objective.noised(latents, noise, alphas)
    v = objective.target(latents, noise, alphas, velocity=True)
    share = alphas[:, None, None, None]
    torch.testing.assert_close(share.sqrt() * noised - (1 - share).sqrt() * v, latents)
    torch.testing.assert_close((1 - share).sqrt() * noised + share.sqrt() * v, noise)


def test_noise_follows_from_the_seed_and_the_count_and_its_offset_is_of_whole_channels() -> None:
    one, same = (objective.noising((4, 8, 8), 3, 7, timesteps=1000, offset=0) for _ in range(2))
    moved = objective.noising((4, 8, 8), 3, 7, timesteps=1000, offset=0.5)
    assert one.timestep == same.timestep == moved.timestep
    assert torch.equal(one.noise, same.noise)
    assert not torch.equal(one.noise, objective.noising((4, 8, 8), 3, 8, timesteps=1000, offset=0).noise)
    added = moved.noise - one.noise
    assert float(added.abs().max()) > 0.01
    assert float(added.flatten(1).std(dim=1).max()) < 1e-6


def test_timesteps_are_even_over_the_whole_table() -> None:
    drawn = [objective.noising((1, 1, 1), 0, sample, timesteps=1000, offset=0).timestep for sample in range(2000)]
    assert min(drawn) < 10
    assert max(drawn) > 989
    assert 470 < sum(drawn) / len(drawn) < 530


def test_tags_change_places_and_the_first_stay() -> None:
    made = {caption_of("a, b, c, d, e", 1, sample, keep=2) for sample in range(20)}
    assert len(made) > 3
    assert all(one.startswith("a, b, ") and sorted(one.split(", ")) == list("abcde") for one in made)


def test_the_learning_rate_rises_and_falls() -> None:
    def shares(**changes: object) -> list[float]:
        return [rate_share(step, 10, options(**changes)) for step in range(10)]

    assert shares(schedule="constant") == [1.0] * 10
    assert shares(schedule="linear", warmup=2)[:3] == [0.5, 1.0, 1.0]
    cosine = shares(schedule="cosine")
    assert cosine[0] == 1.0
    assert cosine[5] == pytest.approx(0.5)
    assert cosine == sorted(cosine, reverse=True)


@pytest.mark.parametrize("name", ["adamw", "prodigy", "lion"])
def test_an_optimizer_goes_on_from_its_state_as_if_nothing_had_been(name: str) -> None:
    def parameter() -> nn.Parameter:
        return nn.Parameter(torch.linspace(-1, 1, 6).reshape(2, 3))

    def moved(value: nn.Parameter, optimizer: torch.optim.Optimizer, steps: int) -> None:
        for _ in range(steps):
            optimizer.zero_grad()
            untyped((value - 3).square().sum()).backward()
            optimizer.step()

    chosen = options(optimizer=name, learning_rate=None)
    one = parameter()
    whole = build_optimizer([Group([one], chosen.rate)], chosen)
    moved(one, whole, 3)
    other = nn.Parameter(one.detach().clone())
    tensors, plain = state_of(whole)
    again = build_optimizer([Group([other], chosen.rate)], chosen)
    restore_state(again, {key: value.clone() for key, value in tensors.items()}, json.loads(json.dumps(plain)))
    moved(one, whole, 3)
    moved(other, again, 3)
    assert torch.equal(one, other)
    assert not torch.equal(one, parameter())


def test_an_optimizer_whose_package_is_missing_is_told() -> None:
    with pytest.raises(BadRequestError, match="bitsandbytes, which is not installed"):
        build_optimizer([Group([nn.Parameter(torch.zeros(1))], 1.0)], options(optimizer="adamw_8bit"))


def test_a_curve_is_thinned_evenly() -> None:
    curve = LossCurve()
    for step in range(1, 3 * MOST_POINTS):
        curve.add(step, 1.0, 0.1)
    gaps = {after[0] - before[0] for before, after in zip(curve.points, curve.points[1:], strict=False)}
    assert len(curve.points) <= MOST_POINTS
    assert gaps == {curve.stride}
    again = LossCurve(**json.loads(json.dumps(curve.told())))
    assert again.points == curve.points
    assert again.average == curve.average


def test_a_file_has_the_same_bytes_whatever_the_order_and_others_read_it(tmp_path: Path) -> None:
    tensors = {"b": torch.arange(6).reshape(2, 3).half(), "a": torch.tensor(1.5), "empty": torch.zeros(0, 2)}
    facts = {"z": "1", "a": "ä"}
    one, other = tmp_path / "one.safetensors", tmp_path / "other.safetensors"
    for path, names, told in ((one, list(tensors), facts), (other, list(tensors)[::-1], dict(sorted(facts.items())))):
        given = {name: tensors[name] for name in names}
        tensor_files.write_tensors(path, TensorEntry.all_of(given), given.__getitem__, told)
    assert one.read_bytes() == other.read_bytes()
    assert all(torch.equal(value, tensors[name]) for name, value in load_file(one).items())
    with safe_open(one, "pt") as file:
        assert file.metadata() == facts
    length = int.from_bytes(one.read_bytes()[:8], "little")
    assert tensor_files.body_hash(tensors) == hashlib.sha256(one.read_bytes()[8 + length :]).hexdigest()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.safetensors", "other.safetensors"]
    with pytest.raises(WebuiError, match="already"):
        tensor_files.write_tensors(one, [], tensors.__getitem__, {})


def test_data_sets_are_known_by_name_and_folders_say_how_often(tmp_path: Path) -> None:
    room = Room(tmp_path / "models", tmp_path / "data")
    root = room.data_dir / "data_sets"
    put_pictures(root / "things" / "10_red_thing")
    put_pictures(root / "things" / "loose", sizes=((8, 8),))
    (root / "things" / "10_red_thing" / "1.txt").unlink()
    put_pictures(tmp_path / "far" / "away", sizes=((8, 8),))
    (root / "folders.txt").write_text(f"{tmp_path / 'far' / 'away'}\n\n{tmp_path / 'nowhere'}\n")
    known = data_sets(room.context())
    assert known == {"away": tmp_path / "far" / "away", "things": root / "things"}
    items = pictures(known["things"])
    assert [(one.path.name, one.repeats) for one in items] == [(f"{n}.png", 10) for n in range(4)] + [("0.png", 1)]
    assert items[0].caption == "a red thing, number 0, on blue"
    assert items[1].caption == "red thing"
    (root / "things" / "10_red_thing" / "2.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UnusableFileError, match=r"2\.txt: is no text in UTF-8; save it"):
        pictures(known["things"])


@pytest.mark.parametrize("wrong", [{"min_bucket": 900, "max_bucket": 800}, {"sample_prompts": "a\nb\nc\nd\ne"}])
def test_options_that_do_not_go_together_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=r"swap the two|at most 4"):
        TrainOptions.model_validate(wrong)


def test_usual_learning_rates_follow_from_method_and_optimizer() -> None:
    assert options(learning_rate=None).rate == 1e-4
    assert options(learning_rate=None, optimizer="prodigy").rate == 1.0
    assert options(learning_rate=None, method="finetune").rate == 1e-5
    assert options(learning_rate=0.0).rate == 0.0


def test_a_default_is_the_same_number_as_one_that_was_sent() -> None:
    """So that files made by a form, which sends all fields, have the same bytes as those of a bare call."""
    bare = TrainOptions(data_set="a", output="b")
    sent = TrainOptions.model_validate_json(bare.model_dump_json())
    assert {name: repr(value) for name, value in bare} == {name: repr(value) for name, value in sent}

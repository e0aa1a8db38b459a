"""Descriptions of pictures: each network from a file as people have it, the texts, the routes, what is missing."""

import base64
import csv
import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from transformers.models.blip.configuration_blip import BlipConfig
from transformers.models.blip.modeling_blip import BlipForConditionalGeneration

from extensions.captions import blip_sentence, booru_network
from extensions.captions.caption_files import Captioner, captioners, chosen
from extensions.captions.captioning import described, word_list
from extensions.captions.options import DescribeOptions
from extensions.captions.tag_texts import tag_text
from extensions.captions.wd_tags import WdTagger, prepared
from tests.api.fakes import call
from tests.extensions.test_actions import Client, HostingBack
from webui.domain.errors import UnknownModelError, UnusableFileError
from webui.domain.images import Picture
from webui.engine.engine import Engine
from webui.executors.inline import InlineExecutor
from webui.extension_api.tensors import build_captioner
from webui.jobs.store import JobStore
from webui.library.library import ModelLibrary
from webui.plugins.catalog import Catalog
from webui.plugins.host import ExtensionHost
from webui.plugins.loader import load_all
from webui.plugins.models import LibraryModels
from webui.weights.families.registry import FAMILIES

pytestmark = pytest.mark.usefixtures("pickles_here")
ROOT = Path(__file__).parents[2]
TINY = ROOT / "tests" / "data" / "captions" / "tiny"  # a tagger: a linear map of the mean colour
WORDS = ["[PAD]", "a", "[SEP]", "picture", "of", "cat", "dog", "##s", ",", "'", "s", "red", "on", "mat"]
SQUARE = Image.fromarray(np.random.default_rng(3).integers(0, 255, (40, 60, 3), np.uint8))


def models_in(folder: Path) -> LibraryModels:
    return LibraryModels(ModelLibrary(folder / "models", folder / "cache", FAMILIES))


# ---- BLIP


@pytest.fixture(scope="module")
def blip() -> Any:
    """A small network of transformers' own, with random weights."""
    torch.manual_seed(5)
    config = BlipConfig(
        text_config={
            "vocab_size": len(WORDS) + 2, "hidden_size": 64, "encoder_hidden_size": 64, "intermediate_size": 96,
            "num_hidden_layers": 2, "num_attention_heads": 1, "max_position_embeddings": 64,
            "bos_token_id": len(WORDS), "sep_token_id": 2, "pad_token_id": 0, "initializer_range": 0.5,
        },
        vision_config={
            "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 1,
            "image_size": 32, "patch_size": 16, "layer_norm_eps": 1e-6, "initializer_range": 0.5,
        },
    )  # fmt: skip
    network: Any = BlipForConditionalGeneration(config)
    network.eval()
    return network


def published(name: str) -> str:
    """What the paper's own code calls a tensor of transformers'."""
    for there, here in (
        ("vision_model.embeddings.class_embedding", "visual_encoder.cls_token"),
        ("vision_model.embeddings.position_embedding", "visual_encoder.pos_embed"),
        ("vision_model.embeddings.patch_embedding", "visual_encoder.patch_embed.proj"),
        ("vision_model.post_layernorm", "visual_encoder.norm"),
        ("vision_model.encoder.layers", "visual_encoder.blocks"),
        ("self_attn.projection", "attn.proj"),
        ("self_attn", "attn"),
        ("layer_norm", "norm"),
    ):
        if there in name and (not name.startswith("text_decoder") or there.startswith("vision")):
            name = name.replace(there, here)
    return name


@pytest.fixture
def blip_file(blip: Any, tmp_path: Path) -> Path:
    folder = tmp_path / "models" / "BLIP"
    folder.mkdir(parents=True)
    path = folder / "model_base_caption_capfilt_large.pth"
    torch.save({"model": {published(name): value for name, value in blip.state_dict().items()}}, path)
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    return path


def test_blip_from_its_file_is_the_network_of_transformers(blip: Any, blip_file: Path, tmp_path: Path) -> None:
    models = models_in(tmp_path)
    network = models.load(blip_file, build_captioner)
    assert network.config.vision_config.image_size == 32
    own, theirs = network.state_dict(), blip.state_dict()
    assert own.keys() == theirs.keys()
    assert all(torch.equal(own[name], value) for name, value in theirs.items())
    pixels = blip_sentence.prepared(SQUARE, 32)
    begun = torch.tensor([[len(WORDS), 1, 3, 4, 2]])
    wanted = blip.generate(
        pixel_values=pixels, input_ids=begun, do_sample=False, num_beams=1, min_length=24, max_length=48
    )  # fmt: skip
    words = blip_sentence.read_words(blip_file.parent / "vocab.txt")
    told = blip_sentence.caption(network, words, SQUARE)
    assert told == blip_sentence.sentence([words[number] for number in wanted[0].tolist()])
    assert len(told.split()) > 5
    options = DescribeOptions(image=Picture.of(SQUARE), model="clip")
    assert described(models, chosen(models, "clip"), options) == told


def test_pixels_are_normalised_as_clip_normalises_them() -> None:
    made = blip_sentence.prepared(Image.new("RGB", (9, 5), (255, 0, 51)), 4)
    assert made.shape == (1, 3, 4, 4)
    wanted = [(1 - 0.48145466) / 0.26862954, -0.4578275 / 0.26130258, (0.2 - 0.40821073) / 0.27577711]
    assert made[0, :, 0, 0].tolist() == pytest.approx(wanted, abs=1e-6)


def test_tokens_become_a_sentence() -> None:
    tokens = ["[DEC]", "a", "picture", "of", "a", "cat", "'", "s", "dog", "##s", ",", "red", "[SEP]", "[PAD]"]
    assert blip_sentence.sentence(tokens) == "a cat's dogs, red"


def test_what_is_no_blip_sentence_and_no_list_of_words_is_said(blip_file: Path, tmp_path: Path) -> None:
    torch.save({"model": {"visual_encoder.cls_token": torch.zeros(1, 1, 4)}}, blip_file)
    with pytest.raises(UnusableFileError, match="no BLIP network"):
        models_in(tmp_path).load(blip_file, build_captioner)
    (blip_file.parent / "vocab.txt").write_text("cat\n")
    with pytest.raises(UnusableFileError, match="not BERT's list of words"):
        blip_sentence.read_words(blip_file.parent / "vocab.txt")


def test_the_words_are_looked_for_beside_the_file_and_where_a1111_has_left_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    with pytest.raises(UnknownModelError, match=r"put vocab\.txt into models/BLIP"):
        word_list(tmp_path / "BLIP")
    cached = tmp_path / "hf" / "hub" / "models--bert-base-uncased" / "snapshots" / "86b5" / "vocab.txt"
    cached.parent.mkdir(parents=True)
    cached.write_text("x")
    assert word_list(tmp_path / "BLIP") == cached


# ---- DeepDanbooru


def test_each_layer_has_a_number_and_the_fourth_stage_has_its_projection_last() -> None:
    blocks = list(booru_network.bottlenecks())
    assert len(blocks) == sum(booru_network.BLOCKS)
    numbers = [number for block in blocks for number in (*block.convolutions, block.projection) if number is not None]
    assert sorted(numbers) == list(range(1, booru_network.LAST))
    projected = [block for block in blocks if block.projection is not None]
    assert [block.stride for block in projected] == [1, 2, 2, 2, 2, 2]
    ahead = [(block.projection or 0) < block.convolutions[0] for block in projected]
    assert ahead == [True, True, True, False, True, True]


def booru(tags: list[str]) -> dict[str, Tensor | list[str]]:
    """A file with all layers and few channels."""
    dice = torch.Generator().manual_seed(1)

    def layer(number: int, out: int, into: int, side: int) -> dict[str, Tensor]:
        weight = torch.randn(out, into, side, side, generator=dice) / (into * side * side) ** 0.5
        bias = {} if number == booru_network.LAST else {f"n_Conv_{number}.bias": torch.randn(out, generator=dice) / 9}
        return {f"n_Conv_{number}.weight": weight, **bias}

    made: dict[str, Tensor | list[str]] = {**layer(0, 4, 3, 7)}
    width = 4
    for block in booru_network.bottlenecks():
        out = width + 2 if block.projection is not None else width
        first, second, third = block.convolutions
        made |= layer(first, 3, width, 1) | layer(second, 3, 3, 3) | layer(third, out, 3, 1)
        if block.projection is not None:
            made |= layer(block.projection, out, width, 1)
        width = out
    made |= layer(booru_network.LAST, len(tags), width, 1)
    return {**made, "tags": tags}


def test_deepdanbooru_from_a_pickle_tells_its_tags_without_ratings(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "torch_deepdanbooru"
    folder.mkdir(parents=True)
    path = folder / "model-resnet_custom_v3.pt"
    torch.save(booru(["1girl", "red_hair", "rating:safe"]), path)
    models = models_in(tmp_path)
    network = models.load(path, booru_network.build_booru)
    scores = network(SQUARE)
    assert list(scores) == ["1girl", "red_hair"]
    assert all(0 < score < 1 for score in scores.values())
    upside_down = network(SQUARE.rotate(180))
    assert scores != upside_down  # it looks at the picture
    options = DescribeOptions(image=Picture.of(SQUARE), threshold=0.0, alphabetical=True)
    assert described(models, chosen(models, "deepdanbooru"), options) == "1girl, red hair"


def test_a_block_adds_its_shortcut_and_moves_by_its_stride() -> None:
    """A network whose blocks give nothing is its first layer, its pooling, its projections and its last layer."""
    weights = {name: value for name, value in booru(["a", "b"]).items() if isinstance(value, Tensor)}
    for block in booru_network.bottlenecks():
        number = block.convolutions[2]
        weights[f"n_Conv_{number}.weight"] = torch.zeros_like(weights[f"n_Conv_{number}.weight"])
        weights[f"n_Conv_{number}.bias"] = torch.zeros_like(weights[f"n_Conv_{number}.bias"])
    pixels = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(2))
    first = torch.nn.functional.conv2d(
        torch.nn.functional.pad(pixels, (2, 3, 2, 3)), weights["n_Conv_0.weight"], weights["n_Conv_0.bias"], 2
    ).relu()
    made = torch.nn.functional.max_pool2d(torch.nn.functional.pad(first, (0, 1, 0, 1)), 3, 2)  # all are above 0 here
    for number, stride in ((1, 1), (11, 2), (36, 2), (100, 2), (158, 2), (168, 2)):
        weight, bias = weights[f"n_Conv_{number}.weight"], weights[f"n_Conv_{number}.bias"]
        made = (
            torch.einsum("oi,bihw->bohw", weight[..., 0, 0], made[..., ::stride, ::stride]) + bias[:, None, None]
        ).relu()
    assert made.shape[-2:] == (1, 1)
    wanted = torch.einsum("oi,bihw->bo", weights["n_Conv_178.weight"][..., 0, 0], made).sigmoid()
    told = booru_network.BooruNetwork(weights, ("a", "b")).probabilities(pixels)
    assert torch.allclose(told, wanted, atol=1e-6)


def test_a_file_with_a_layer_or_a_tag_too_few_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "torch_deepdanbooru"
    folder.mkdir(parents=True)
    path = folder / "model-resnet_custom_v3.pt"
    content = booru(["a", "b"])
    torch.save({**content, "tags": ["a"]}, path)
    with pytest.raises(UnusableFileError, match="2 tags are told, but it names 1"):
        models_in(tmp_path).load(path, booru_network.build_booru)
    del content["n_Conv_95.weight"]
    torch.save(content, path)
    with pytest.raises(UnusableFileError, match=r"n_Conv_95\.weight is not in it"):
        models_in(tmp_path).load(path, booru_network.build_booru)


# ---- taggers


def test_a_tagger_tells_what_opencv_tells(tmp_path: Path) -> None:
    found = WdTagger(TINY / "model.onnx")(SQUARE)
    network = cv2.dnn.readNetFromONNX(str(TINY / "model.onnx"))
    network.setInput(prepared(SQUARE))
    wanted = np.asarray(network.forward()).reshape(-1).tolist()
    with (TINY / "selected_tags.csv").open() as file:
        names = [row["name"] for row in csv.DictReader(file)]
    assert {**found.ratings, **found.tags} == dict(zip(names, wanted, strict=True))
    assert list(found.ratings) == ["general", "sensitive", "questionable", "explicit"]
    shutil.copy(TINY / "model.onnx", tmp_path)
    with pytest.raises(UnusableFileError, match=r"needs selected_tags\.csv beside it"):
        WdTagger(tmp_path / "model.onnx")
    (tmp_path / "selected_tags.csv").write_text("name,category\na,0\n")
    with pytest.raises(UnusableFileError, match="10 numbers, but"):
        WdTagger(tmp_path / "model.onnx")(SQUARE)


def test_a_picture_for_taggers_is_blue_first_on_white_and_square() -> None:
    clear = Image.new("RGBA", (20, 10), (0, 0, 0, 0))
    clear.paste((200, 100, 50, 255), (0, 0, 10, 10))
    made = prepared(clear, 20)
    assert made.shape == (1, 20, 20, 3)
    assert made[0, 10, 2].tolist() == [50, 100, 200]
    assert made[0, 10, 15].tolist() == [255, 255, 255]
    assert made[0, 0, 0].tolist() == [255, 255, 255]


@pytest.mark.parametrize(
    ("wishes", "text"),
    [
        ({"alphabetical": True}, r"1girl, >_<, fate \(series\), red hair"),
        ({"alphabetical": False}, r"red hair, 1girl, fate \(series\), >_<"),
        ({"alphabetical": False, "spaces": False, "escape": False}, "red_hair, 1girl, fate_(series), >_<"),
        ({"alphabetical": False, "threshold": 0.85}, "red hair"),
        ({"alphabetical": False, "with_scores": True, "threshold": 0.75}, "(red hair:0.900), (1girl:0.800)"),
        ({"alphabetical": True, "leave_out": "red hair, >_<"}, r"1girl, fate \(series\)"),
    ],
)
def test_tags_as_a_text(wishes: dict[str, object], text: str) -> None:
    scores = {"1girl": 0.8, "red_hair": 0.9, "fate_(series)": 0.7, ">_<": 0.6, "smile": 0.2}
    assert tag_text(scores, **{"threshold": 0.5, **wishes}) == text  # type: ignore[arg-type]


# ---- which file, and the routes


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    """The API over a folder with a tagger."""
    shutil.copytree(TINY, tmp_path / "models" / "TaggerOnnx" / "tiny-tagger")
    shutil.copytree(ROOT / "extensions" / "captions", tmp_path / "e" / "captions")
    loaded = load_all(tmp_path / "e")
    library = ModelLibrary(tmp_path / "models", tmp_path / "cache", FAMILIES)
    back = HostingBack(ExtensionHost(loaded, LibraryModels(library), torch.device("cpu"), torch.float32))
    engine = Engine(
        lambda on_event: InlineExecutor(back, on_event), library, JobStore(tmp_path / "jobs.sqlite3"),
        None,  # type: ignore[arg-type]
        data_dir=tmp_path, max_queue=8, extensions=Catalog(loaded.infos, tmp_path / "settings.json"),
    )  # fmt: skip
    yield Client(engine)
    engine.close()


def sent(image: Image.Image = SQUARE) -> str:
    file = io.BytesIO()
    image.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def test_clients_of_a1111_are_answered(client: Client) -> None:
    path = "/sdapi/v1/interrogate"
    answer = client("POST", path, {"image": sent(), "model": "tiny-tagger"})
    found = WdTagger(TINY / "model.onnx")(SQUARE).tags
    assert answer.json() == {"caption": tag_text(found, threshold=0.35, alphabetical=False)}
    missing = client("POST", path, {"image": sent()})
    assert missing.status_code == 404
    assert "models/BLIP/model_base_caption_capfilt_large.pth" in missing.json()["detail"]
    assert "models/torch_deepdanbooru" in client("POST", path, {"image": sent(), "model": "deepbooru"}).json()["detail"]
    assert client("POST", path, {"image": "none", "model": "tiny-tagger"}).status_code == 422
    assert client("POST", path, {}).json()["detail"] == "Image not found"


def test_the_page_is_answered(client: Client) -> None:
    file = io.BytesIO()
    SQUARE.save(file, "PNG")
    path = "/internal/page/describe"
    told = call(client.app, "POST", path, params={"model": "tiny-tagger"}, files={"picture": file.getvalue()})
    assert told.json() == {
        "text": tag_text(WdTagger(TINY / "model.onnx")(SQUARE).tags, threshold=0.35, alphabetical=False)
    }
    missing = call(client.app, "POST", path, params={"model": "clip"}, files={"picture": file.getvalue()})
    assert "models/BLIP" in missing.json()["detail"]


def test_clients_of_the_tagger_are_answered(client: Client) -> None:
    assert client("GET", "/tagger/v1/interrogators").json() == {"models": ["tiny-tagger"]}
    body = {"image": sent(), "model": "tiny-tagger", "threshold": 0.5, "queue": "", "name_in_queue": ""}
    told = client("POST", "/tagger/v1/interrogate", body).json()["caption"]
    found = WdTagger(TINY / "model.onnx")(SQUARE)
    assert told["rating"] == pytest.approx(dict(found.ratings))
    assert told["tag"] == pytest.approx({tag: score for tag, score in found.tags.items() if score >= 0.5})


def test_a_captioner_goes_by_what_it_is_its_file_and_its_folder(tmp_path: Path) -> None:
    for place in ("TaggerOnnx/wd/model.onnx", "BLIP/model_base.pth", "torch_deepdanbooru/model-resnet_custom_v3.pt"):
        file = tmp_path / "models" / place
        file.parent.mkdir(parents=True)
        torch.save({place: torch.zeros(1)}, file)
    models = models_in(tmp_path)
    assert {one.title for one in captioners(models)} == {"wd", "clip", "deepdanbooru"}
    for asked, name in (
        ("clip", "model_base.pth"), ("CLIP", "model_base.pth"), ("deepbooru", "model-resnet_custom_v3.pt"),
        ("wd", "wd/model.onnx"), ("wd/model.onnx", "wd/model.onnx"), ("model_base", "model_base.pth"),
    ):  # fmt: skip
        assert chosen(models, asked).name == name
    assert isinstance(chosen(models, ""), Captioner)
    with pytest.raises(UnknownModelError, match="there are: ") as told:
        chosen(models, "else")
    assert "models/TaggerOnnx/<name>/model.onnx" in str(told.value)

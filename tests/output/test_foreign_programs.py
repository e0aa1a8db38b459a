"""Pictures of other programs: what their metadata says is read as far as a request can mean it, the rest is told."""

import gzip
import io
import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import piexif
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.narrowing import untyped
from webui.domain.errors import BadRequestError
from webui.output.foreign.entries import Entries
from webui.output.foreign.programs import READERS, told_by
from webui.output.metadata import Parameters, read_items, read_parameters, read_request, safe_open

CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine may be busy
A1111 = "a red fox\nNegative prompt: blurry\nSteps: 22, Sampler: Euler a, CFG scale: 6.5, Seed: 1234, Size: 832x1216"


def png(entries: Mapping[str, str | dict[str, Any]], **more: Any) -> bytes:
    info = PngInfo()
    for key, value in entries.items():
        text = value if isinstance(value, str) else json.dumps(value)
        info.add_itxt(key, text) if key == "XML:com.adobe.xmp" else info.add_text(key, text)
    buffer = io.BytesIO()
    Image.new("RGB", (16, 24)).save(buffer, "PNG", pnginfo=info, **more)
    return buffer.getvalue()


def with_comment(value: str, image_format: str = "WEBP") -> bytes:
    buffer = io.BytesIO()
    exif = piexif.dump({"Exif": {piexif.ExifIFD.UserComment: b"UNICODE\0" + value.encode("utf-16-be")}})
    Image.new("RGB", (16, 24)).save(buffer, image_format, exif=exif)
    return buffer.getvalue()


def hidden(text: bytes, channels: str, *, packed: bool) -> bytes:
    """A PNG with a text in the last bits of its pixels."""
    kind = ("alpha" if channels == "A" else "rgb", packed)
    mark = {
        ("alpha", False): b"stealth_pnginfo", ("alpha", True): b"stealth_pngcomp",
        ("rgb", False): b"stealth_rgbinfo", ("rgb", True): b"stealth_rgbcomp",
    }[kind]  # fmt: skip
    data = gzip.compress(text) if packed else text
    bits = np.unpackbits(np.frombuffer(mark + (len(data) * 8).to_bytes(4, "big") + data, np.uint8))
    pixels = np.full((128, 160, 4), 254, np.uint8)
    columns = pixels.transpose(1, 0, 2)  # (width, height, channels)
    planes = columns[..., 3:] if channels == "A" else columns[..., :3]
    flat = planes.reshape(-1).copy()
    flat[: len(bits)] |= bits
    planes[...] = flat.reshape(planes.shape)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


NOVELAI = {
    "prompt": "a red fox", "uc": "blurry", "steps": 22, "seed": 1234, "scale": 6.5, "width": 832, "height": 1216,
    "sampler": "k_euler_ancestral", "noise_schedule": "karras", "sm": True,
}  # fmt: skip
NOVELAI_4 = NOVELAI | {
    "v4_prompt": {"caption": {"base_caption": "a red fox", "char_captions": [{"char_caption": "girl", "centers": []}]}},
    "v4_negative_prompt": {"caption": {"base_caption": "blurry", "char_captions": []}},
    "prompt": "other", "signed_hash": "x",
}  # fmt: skip
SWARM = {
    "sui_image_params": {
        "prompt": "a red fox", "negativeprompt": "blurry", "model": "dir/x.safetensors", "seed": 1234, "steps": 22,
        "cfgscale": 6.5, "width": 832, "height": 1216, "sampler": "euler_ancestral", "scheduler": "karras",
        "loras": ["style"], "loraweights": ["0.5"], "refinermethod": "PostApply",
    }
}  # fmt: skip
FOOOCUS = {
    "prompt": "a red fox", "negative_prompt": "blurry", "steps": 22, "seed": "1234", "resolution": "(832, 1216)",
    "guidance_scale": 6.5, "sampler": "euler_ancestral", "scheduler": "karras", "metadata_scheme": "fooocus",
    "styles": "['Fooocus V2']", "base_model": "x.safetensors", "lora_combined_1": "style.safetensors : 0.5",
    "version": "Fooocus v2.5.5",
}  # fmt: skip
FOOOCUS_TEXT = (
    "a red fox\nNegative prompt: blurry\nSteps: 22, Sampler: Euler a, Seed: 1234, Size: 832x1216, CFG scale: 6.5, "
    'Sharpness: 2, ADM Guidance: "(1.5, 0.8, 0.3)", Model: x, Lora hashes: "style: 0123456789", '
    'Lora weights: "style: 0.5", Scheduler: karras, Version: Fooocus v2.5.5'
)
INVOKE = {
    "positive_prompt": "a red fox", "negative_prompt": "blurry", "seed": 1234, "steps": 22, "cfg_scale": 6.5,
    "width": 832, "height": 1216, "scheduler": "euler_a", "model": {"name": "x", "hash": "h"},
    "loras": [{"model": {"name": "style"}, "weight": 0.5}], "controlnets": [{"weight": 1}],
}  # fmt: skip
INVOKE_2 = {
    "model_weights": "x",
    "image": {
        "prompt": [{"prompt": "a red fox [blurry]", "weight": 1.0}], "steps": 22, "cfg_scale": 6.5, "seed": 1234,
        "width": 832, "height": 1216, "sampler": "k_euler_a",
    },
}  # fmt: skip
INVOKE_1 = '"a red fox [blurry]" -s 22 -S 1234 -W 832 -H 1216 -C 6.5 -A k_euler_a'
COMFY = {
    "3": {
        "class_type": "KSampler",
        "inputs": {
            "seed": 1234, "steps": 22, "cfg": 6.5, "sampler_name": "euler_ancestral", "scheduler": "karras",
            "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0], "model": ["8", 0], "denoise": 1,
        },
    },
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sd\\x.safetensors"}},
    "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 832, "height": 1216, "batch_size": 1}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a red fox", "clip": ["9", 0]}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "blurry", "clip": ["9", 0]}},
    "8": {
        "class_type": "LoraLoader",
        "inputs": {"lora_name": "style.safetensors", "strength_model": 0.5, "model": ["4", 0], "clip": ["4", 1]},
    },
    "9": {"class_type": "CLIPSetLastLayer", "inputs": {"stop_at_clip_layer": -2, "clip": ["8", 1]}},
    "10": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
    "11": {"class_type": "SaveImage", "inputs": {"images": ["10", 0], "filename_prefix": "c"}},
}  # fmt: skip
COMFY_CUSTOM = {  # values behind primitives, joined texts, a sampler in parts, a ControlNet between
    "s": {
        "class_type": "SamplerCustomAdvanced",
        "inputs": {
            "noise": ["n", 0], "guider": ["g", 0], "sampler": ["k", 0], "sigmas": ["b", 0], "latent_image": ["l", 0],
        },
    },
    "n": {"class_type": "RandomNoise", "inputs": {"noise_seed": ["p", 0]}},
    "p": {"class_type": "PrimitiveInt", "inputs": {"value": 1234, "control_after_generate": "fixed"}},
    "g": {
        "class_type": "CFGGuider",
        "inputs": {"cfg": 6.5, "positive": ["c", 0], "negative": ["c", 1], "model": ["m", 0]},
    },
    "c": {
        "class_type": "ControlNetApplyAdvanced",
        "inputs": {"positive": ["t", 0], "negative": ["u", 0], "strength": 1, "control_net": ["cn", 0]},
    },
    "cn": {"class_type": "ControlNetLoader", "inputs": {"control_net_name": "canny"}},
    "t": {"class_type": "BNK_CLIPTextEncodeAdvanced", "inputs": {"text": ["j", 0], "clip": ["m", 1]}},
    "j": {"class_type": "StringConcatenate", "inputs": {"string_a": "a red", "string_b": ["w", 0], "delimiter": " "}},
    "w": {"class_type": "PrimitiveString", "inputs": {"value": "fox"}},
    "u": {"class_type": "CLIPTextEncode", "inputs": {"text": "blurry", "clip": ["m", 1]}},
    "k": {"class_type": "KSamplerSelect", "inputs": {"sampler_name": "euler_ancestral"}},
    "b": {
        "class_type": "BasicScheduler",
        "inputs": {"steps": 22, "scheduler": "karras", "denoise": 1.0, "model": ["m", 0]},
    },
    "l": {"class_type": "SDXLEmptyLatentSizePicker+", "inputs": {"resolution": "832x1216 (0.68)", "batch_size": 1}},
    "m": {
        "class_type": "Power Lora Loader (rgthree)",
        "inputs": {"lora_1": {"on": True, "lora": "style.safetensors", "strength": 0.5}, "model": ["z", 0]},
    },
    "z": {"class_type": "UNETLoader", "inputs": {"unet_name": "x.safetensors"}},
    "o": {"class_type": "Image Saver", "inputs": {"images": ["d", 0]}},
    "d": {"class_type": "VAEDecode", "inputs": {"samples": ["s", 0]}},
}  # fmt: skip
SDNEXT = (
    "a red fox\nNegative prompt: blurry\nSteps: 22, Size: 832x1216, Sampler: Euler a, Seed: 1234, CFG scale: 6.5, "
    "App: SD.Next, Version: 7a4d2b1, Operations: txt2img, Model: x"
)
DRAW_THINGS = {
    "c": "a red fox", "uc": "blurry", "steps": 22, "seed": 1234, "scale": 6.5, "size": "832x1216", "strength": 1,
    "sampler": "Euler A Karras", "model": "x.ckpt", "lora": [{"model": "style", "weight": 0.5}], "shift": 3,
}  # fmt: skip
XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description><exif:UserComment><rdf:Alt>'
    f'<rdf:li xml:lang="x-default">{json.dumps(DRAW_THINGS).replace(chr(34), "&quot;")}</rdf:li>'
    "</rdf:Alt></exif:UserComment></rdf:Description></rdf:RDF></x:xmpmeta>"
)
NAI_HIDDEN = json.dumps({"Software": "NovelAI", "Description": "a red fox", "Comment": json.dumps(NOVELAI)}).encode()

PICTURES: tuple[tuple[str, Callable[[], bytes]], ...] = (
    ("A1111", lambda: png({"parameters": A1111})),
    ("A1111, WebP", lambda: with_comment(A1111)),
    ("NovelAI", lambda: png({"Software": "NovelAI", "Description": "a red fox", "Comment": NOVELAI})),
    ("NovelAI 4", lambda: png({"Software": "NovelAI", "Comment": NOVELAI_4, "Source": "NovelAI Diffusion V4"})),
    ("NovelAI, in alpha", lambda: hidden(NAI_HIDDEN, "A", packed=True)),
    ("text, in alpha", lambda: hidden(A1111.encode(), "A", packed=False)),
    ("text, in colours", lambda: hidden(A1111.encode(), "RGB", packed=True)),
    ("text, in colours, plain", lambda: hidden(A1111.encode(), "RGB", packed=False)),
    ("SwarmUI", lambda: png({"parameters": SWARM})),
    ("SwarmUI, JPEG", lambda: with_comment(json.dumps(SWARM), "JPEG")),
    ("Fooocus", lambda: png({"fooocus_scheme": "fooocus", "parameters": FOOOCUS})),
    ("Fooocus, WebP", lambda: with_comment(json.dumps(FOOOCUS))),
    ("Fooocus, scheme a1111", lambda: png({"fooocus_scheme": "a1111", "parameters": FOOOCUS_TEXT})),
    ("InvokeAI", lambda: png({"invokeai_metadata": INVOKE})),
    ("InvokeAI 2", lambda: png({"sd-metadata": INVOKE_2, "Dream": INVOKE_1})),
    ("InvokeAI 1", lambda: png({"Dream": INVOKE_1})),
    ("ComfyUI", lambda: png({"prompt": COMFY, "workflow": {"nodes": []}})),
    ("ComfyUI, custom nodes", lambda: png({"prompt": COMFY_CUSTOM})),
    ("ComfyUI, A1111's text", lambda: png({"prompt": COMFY_CUSTOM, "parameters": f"{A1111}, Version: ComfyUI"})),
    ("ComfyUI, beside others", lambda: with_comment(json.dumps({"prompt": COMFY, "workflow": {}}))),
    ("SD.Next", lambda: png({"parameters": SDNEXT})),
    ("Draw Things", lambda: png({"XML:com.adobe.xmp": XMP})),
    ("Draw Things, EXIF", lambda: with_comment(json.dumps(DRAW_THINGS), "JPEG")),
)  # fmt: skip
WITHOUT_A_SCHEDULE = ("A1111", "SD.Next", "InvokeAI", "text, in", "ComfyUI, A1111's")
WITH_A_NETWORK = ("SwarmUI", "Fooocus", "InvokeAI", "ComfyUI", "ComfyUI, custom nodes", "Draw Things")


def read(data: bytes) -> Parameters:
    return read_parameters(safe_open(data))


@pytest.mark.parametrize(("name", "made"), PICTURES, ids=[name for name, _ in PICTURES])
def test_what_a_picture_tells_becomes_the_request(name: str, made: Callable[[], bytes]) -> None:
    data = made()
    found = read(data)
    reading = found.reading()
    request = reading.request
    prompt = request.prompt.removesuffix(" <lora:style:0.5>")
    assert (prompt, request.negative_prompt, request.steps, request.seed) == ("a red fox", "blurry", 22, 1234)
    assert (request.cfg_scale, request.width, request.height, request.sampler) == (6.5, 832, 1216, "Euler a")
    karras = not name.startswith(WITHOUT_A_SCHEDULE)
    assert (request.scheduler == "Karras") == karras, request.scheduler
    assert ("<lora:style:0.5>" in request.prompt) == (name.split(", scheme")[0] in WITH_A_NETWORK or name in (
        "SwarmUI, JPEG", "Fooocus, WebP", "ComfyUI, beside others", "Draw Things, EXIF"))  # fmt: skip
    assert read_request(safe_open(data)) == request
    again = Parameters(found.text, {}, "").text
    assert again.startswith("a red fox")
    assert "{" not in request.prompt


def test_what_a_request_cannot_mean_is_named() -> None:
    for name, left_out in [
        ("NovelAI", "sm"), ("NovelAI 4", "the prompts of characters"), ("SwarmUI", "refinermethod"),
        ("Fooocus", "styles"), ("Fooocus, scheme a1111", "Sharpness"), ("InvokeAI", "controlnets"),
        ("ComfyUI, custom nodes", "ControlNetApplyAdvanced"), ("Draw Things", "shift"),
    ]:  # fmt: skip
        found = read(dict(PICTURES)[name]())
        assert any(left_out in notice.text for notice in found.notices), (name, found.notices)


def test_the_file_s_own_entries_are_shown_beside() -> None:
    items = read_items(safe_open(png({"parameters": SWARM})))
    assert json.loads(items["parameters"]) == SWARM
    assert json.loads(read_items(safe_open(with_comment(json.dumps(FOOOCUS))))["UserComment"]) == FOOOCUS
    assert "parameters" not in read_items(safe_open(png({"parameters": A1111})))


@pytest.mark.parametrize("data", [{"parameters": {"mystery": 1, "prompt": "x"}}, {"prompt": {"1": {"inputs": {}}}}])
def test_data_of_a_program_that_nobody_knows_is_never_a_prompt(data: dict[str, Any]) -> None:
    found = read(png(data))
    assert (found.text, found.fields) == ("", {})
    assert "of another program, which are not read" in found.notices[0].text
    assert read_request(safe_open(png(data))) is None
    assert next(iter(data)) in read_items(safe_open(png(data)))


def test_cut_off_data_is_no_prompt_either() -> None:
    assert read(png({"parameters": json.dumps(SWARM)[:100]})).text == ""


@pytest.mark.parametrize(
    ("sampler", "schedule", "expected"),
    [
        ("k_dpmpp_2s_ancestral", "karras", ("DPM++ 2S a", "Karras")),
        ("k_dpmpp_sde", "native", ("DPM++ SDE", "Uniform")),
        ("k_dpmpp_2m_sde", "exponential", ("DPM++ 2M SDE", "Exponential")),
        ("k_dpmpp_2m", "polyexponential", ("DPM++ 2M", "Polyexponential")),
        ("ddim_v3", "", ("DDIM", "Automatic")),
        ("plms", "", ("PLMS", "Automatic")),
    ],
)
def test_samplers_and_noise_schedules_of_novelai(sampler: str, schedule: str, expected: tuple[str, str]) -> None:
    comment = NOVELAI | {"sampler": sampler, "noise_schedule": schedule}
    request = read(png({"Software": "NovelAI", "Comment": comment})).reading().request
    assert (request.sampler, request.scheduler) == expected


def test_a_sampler_that_nobody_knows_is_told() -> None:
    reading = read(png({"Software": "NovelAI", "Comment": NOVELAI | {"sampler": "nai_new"}})).reading()
    assert any("nai_new" in notice.text for notice in reading.notices)


def test_the_first_of_two_samplers_tells_what_the_picture_began_with() -> None:
    second = {
        "class_type": "KSampler",
        "inputs": untyped(COMFY["3"]["inputs"]) | {"seed": 9, "latent_image": ["3", 0], "denoise": 0.5},
    }
    graph = COMFY | {"12": second, "10": {"class_type": "VAEDecode", "inputs": {"samples": ["12", 0]}}}
    found = read(png({"prompt": graph}))
    assert found.fields["Seed"] == "1234"
    assert "further sampler" in found.notices[0].text


# ---------------------------------------------------------------- hostile files


def deep(levels: int) -> str:
    return '{"sui_image_params":' * levels + "1" + "}" * levels


def links(names: list[str], to: int) -> dict[str, Any]:
    return {name: [str(to), 0] for name in names}


SAMPLER_LINKS = ["seed", "steps", "positive", "negative", "latent_image", "text"]
CHAIN = {str(at): {"class_type": "KSampler", "inputs": links(SAMPLER_LINKS, at + 1)} for at in range(3000)}
CIRCLE = {"1": {"class_type": "KSampler", "inputs": links(["seed", "steps", "positive", "cfg", "latent_image"], 1)}}
DOUBLING = {
    str(at): {
        "class_type": "Join",
        "inputs": {"seed": 1, "steps": 2} | links(["positive", "string_a", "string_b"], at + 1),
    }
    for at in range(200)
}
ODD_FOOOCUS = {"metadata_scheme": "fooocus", "loras": "[" * 5000, "lora_combined_1": 3, "seed": 1e400}
ODD_SWARM = {"sui_image_params": {"seed": 10**400, "loras": {"a": 1}, "steps": True, "prompt": 7}}
ODD_NOVELAI = {"v4_prompt": [], "steps": {}, "sampler": [], "scale": "x"}


@pytest.mark.parametrize(
    "entries",
    [
        {"parameters": deep(40_000)},
        *({"prompt": json.dumps(graph)} for graph in (CHAIN, CIRCLE, DOUBLING)),
        {"Dream": '"' * 30_000},
        {"Dream": "-s " * 10_000},
        {"XML:com.adobe.xmp": "<exif:UserComment>" * 50_000},
        {"parameters": json.dumps(ODD_FOOOCUS)},
        {"parameters": json.dumps(ODD_SWARM)},
        {"Software": "NovelAI", "Comment": json.dumps(ODD_NOVELAI)},
    ],
)
def test_hostile_metadata_costs_little_and_raises_nothing(entries: dict[str, str]) -> None:
    found = read(png(entries))
    assert isinstance(found.reading().request.prompt, str)


ATOMS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(
    [["1", 0], ["2", 0], ["3", 1], {"inputs": {}}]
)  # fmt: skip
KEYS = st.sampled_from(
    ["prompt", "sui_image_params", "metadata_scheme", "positive_prompt", "image", "loras", "lora_1", "seed", "steps",
     "c", "sampler", "text", "positive", "negative", "inputs", "class_type", "v4_prompt", "caption", "1", "2"]
)  # fmt: skip
DATA = st.recursive(ATOMS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6))
PLACES = st.sampled_from(
    ["parameters", "prompt", "Comment", "Software", "invokeai_metadata", "sd-metadata", "Dream", "fooocus_scheme",
     "XML:com.adobe.xmp", "workflow", "comment"]
)  # fmt: skip


@CALM
@given(st.dictionaries(PLACES, DATA.map(json.dumps) | st.text(max_size=60) | st.just("NovelAI"), max_size=4), DATA)
def test_no_reader_raises_on_any_data(texts: dict[str, str], comment: object) -> None:
    entries = Entries(texts, json.dumps(comment), (8, 8))
    for reader in READERS:
        told = reader(entries)
        if told is not None:
            told.prompt.encode()
            Parameters(told.text, told.fields).reading()
    told_by(entries)


@CALM
@given(st.binary(max_size=80), st.sampled_from([b"tEXt", b"iTXt", b"zTXt", b"eXIf"]), st.booleans())
def test_no_bytes_in_a_chunk_raise(data: bytes, kind: bytes, named: bool) -> None:
    info = PngInfo()
    info.add(kind, (b"parameters\0" if named and kind != b"eXIf" else b"") + data)
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG", pnginfo=info)
    try:
        image = safe_open(buffer.getvalue())
    except BadRequestError:  # a chunk so broken that Pillow opens nothing
        return
    read_parameters(image).reading()
    read_items(image)


@CALM
@given(st.binary(max_size=60))
def test_no_pixels_raise(data: bytes) -> None:
    for mark in (b"stealth_pnginfo", b"stealth_pngcomp"):
        bits = np.unpackbits(np.frombuffer(mark + data, np.uint8))
        alpha = np.zeros(20 * 40, np.uint8)
        alpha[: len(bits)] = bits[: len(alpha)]
        pixels = np.zeros((40, 20, 4), np.uint8)
        pixels[..., 3] = alpha.reshape(20, 40).T
        assert isinstance(read_parameters(Image.fromarray(pixels)).text, str)

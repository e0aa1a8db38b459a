"""ComfyUI: the prompt graph in the entry `prompt`, read from the sampler that made the picture along its links."""

import re
from collections.abc import Iterator
from typing import Any

from webui.output.foreign.comfy_graph import Graph, Node
from webui.output.foreign.entries import (
    Entries,
    Told,
    as_object,
    lora_tag,
    size_of,
    stem_of,
    text_of,
    whole_of,
    with_tags,
)
from webui.output.foreign.sampler_names import sampler_label, schedule_label

NAME = "ComfyUI"
_SAVES = ("save", "preview", "output", "saveimage")
_START = ("latent_image", "latent", "samples", "optional_latent", "latent_opt", "image", "pixels")
_LORA_KEY = re.compile(r"lora(?:_name)?(?:_?(\d{1,2}))?\Z", re.IGNORECASE)
_WEIGHT_KEYS = (
    "strength_model{}",
    "model_weight{}",
    "lora_wt{}",
    "strength{}",
    "lora_weight{}",
    "weight{}",
    "model_str{}",
)
_UNTOLD = re.compile(r"(control|ipadapter|freeu|pag|hypertile|tome|facedetailer|detailer|upscale|refiner|modelsampling|"
                     r"rescalecfg|pulid|instantid|inpaint|fluxguidance)", re.IGNORECASE)  # fmt: skip


def read(entries: Entries) -> Told | None:
    """What a picture of ComfyUI tells; None where there is no graph, or no sampler in it."""
    for data in _graphs(entries):
        graph = Graph(data)
        sampler, later = _samplers(graph)
        if sampler is not None:
            return _told(graph, sampler, later)
    return None


def _graphs(entries: Entries) -> Iterator[dict[str, Any]]:
    """Graphs as they may be stored: by themselves, or beside others in one object."""
    for found in entries.objects("prompt", "Prompt", ""):
        inner = as_object(found.get("prompt"))
        yield inner if inner is not None and not isinstance(found.get("inputs"), dict) else found


def _is_sampler(graph: Graph, node: Node) -> bool:
    has_text = any(graph.link(node.inputs.get(name)) for name in ("positive", "guider", "conditioning"))
    has_seed = any(name in node.inputs for name in ("seed", "noise_seed", "noise"))
    return has_text and has_seed and any(name in node.inputs for name in ("steps", "sigmas", "sampler_name", "sampler"))


def _samplers(graph: Graph) -> tuple[Node | None, int]:
    """The sampler that the picture began with, and how many others followed it."""
    linked = {link[0] for node in graph.nodes.values() for value in node.inputs.values() if (link := graph.link(value))}
    ends = [node for node in graph.nodes.values() if node.id not in linked]
    ends.sort(key=lambda node: not any(word in node.kind.lower() for word in _SAVES))
    for end in ends[:50]:
        found = [node for node in graph.ancestors(end) if _is_sampler(graph, node)]
        if found:
            return found[-1], len(found) - 1
    return None, 0


def _told(graph: Graph, node: Node, later: int) -> Told:
    guider = graph.linked(node, "guider") or node
    sigmas, solver = graph.linked(node, "sigmas") or node, graph.linked(node, "sampler") or node
    noise = graph.linked(node, "noise") or node
    sampler, schedule = sampler_label(graph.word(solver, "sampler_name", "sampler"))
    positive = _texts(graph, guider, "positive")
    negative = _texts(graph, guider, "negative")
    ancestors = list(graph.ancestors(node))
    start = _start(graph, node)
    denoise = graph.number(sigmas, "denoise")
    is_from_picture = denoise is not None and denoise < 1
    clip_layer = next(
        (layer for one in ancestors if (layer := graph.number(one, "stop_at_clip_layer", "clip_skip")) is not None),
        None,
    )
    left_out = [f"{later} further sampler(s)"] if later else []
    left_out += dict.fromkeys(one.kind for one in ancestors if _UNTOLD.search(one.kind))
    left_out += ["the ways in which several texts are joined"] if len(positive) > 1 or len(negative) > 1 else []
    return Told(
        NAME,
        with_tags("\n".join(positive), [tag for one in ancestors for tag in _loras(graph, one)]),
        "\n".join(negative),
        {
            "Steps": whole_of(graph.number(sigmas, "steps") or graph.number(node, "steps")),
            "Sampler": sampler,
            "Schedule type": schedule_label(graph.word(sigmas, "scheduler") or graph.word(node, "scheduler"))
            or schedule,
            "CFG scale": graph.number(guider, "cfg") or graph.number(node, "cfg", "guidance_scale"),
            "Seed": whole_of(graph.number(noise, "noise_seed", "seed") or graph.number(node, "seed", "noise_seed")),
            "Size": start,
            "Model": next((name for one in ancestors if (name := _model(graph, one))), ""),
            "Denoising strength": denoise if is_from_picture else None,
            "Clip skip": abs(int(clip_layer)) if clip_layer is not None and abs(clip_layer) > 1 else None,
            "RNG": "CPU",
        },
        tuple(left_out[:20]),
    )


def _texts(graph: Graph, node: Node, side: str) -> list[str]:
    names = (side, "conditioning") if side == "positive" else (side,)
    for name in names:
        value = node.inputs.get(name)
        link = graph.link(value)
        if link is not None:
            return graph.texts(link, side)
        if text_of(value):
            return [text_of(value)]
    return []


def _start(graph: Graph, node: Node) -> str | None:
    """The size of the latents that a sampler starts from."""
    first = graph.linked(node, *_START)
    for one in graph.ancestors(first) if first else ():
        size = size_of(
            graph.number(one, "width", "empty_latent_width"), graph.number(one, "height", "empty_latent_height")
        )
        size = size or _named_size(graph, one)
        if size:
            return size
    return None


def _named_size(graph: Graph, node: Node) -> str | None:
    """`1024x1024 (1.0)`, as some nodes list sizes."""
    found = re.match(r"(\d{2,5})\s?x\s?(\d{2,5})", graph.word(node, "resolution", "dimensions"), re.ASCII)
    return f"{found[1]}x{found[2]}" if found else None


def _model(graph: Graph, node: Node) -> str:
    return stem_of(graph.word(node, "ckpt_name", "unet_name", "checkpoint", "base_ckpt_name"))


def _loras(graph: Graph, node: Node) -> Iterator[str]:
    """The LoRAs that a node loads: one by its name, several by numbered names, or an object for each."""
    for key, value in list(node.inputs.items())[:100]:
        found = _LORA_KEY.match(key)
        if not found:
            continue
        if isinstance(value, dict):
            if value.get("on", True):
                yield lora_tag(value.get("lora"), value.get("strength", 1))
        elif isinstance(value, str):
            suffixes = [f"_{found[1]}", found[1]] if found[1] else [""]
            weights = (node.inputs.get(form.format(suffix)) for suffix in suffixes for form in _WEIGHT_KEYS)
            yield lora_tag(
                value, next((weight for weight in weights if not graph.link(weight) and weight is not None), 1)
            )

"""The forms of names in network files, and the tags of prompts."""

from typing import Any

import pytest

from extensions.lora.keys import BundledKey, PartKey, Place, read_key
from extensions.lora.tags import Asked, HypernetworkTag, LoraTag, Window, read_tags
from webui.prompt.composition import extra_networks

TO_Q = "down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"
DOTTED = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
Q_PROJ = "text_model_encoder_layers_0_self_attn_q_proj"
TEXT_DOTTED = "text_model.encoder.layers.0.self_attn.q_proj"


@pytest.mark.parametrize(
    ("key", "component", "name", "part"),
    [
        (f"lora_unet_{TO_Q}.lora_up.weight", "unet", TO_Q, "up"),
        (f"lora_unet_{TO_Q}.alpha", "unet", TO_Q, "alpha"),
        (f"lora_te_{Q_PROJ}.lora_down.weight", "te1", Q_PROJ, "down"),
        (f"lora_te1_{Q_PROJ}.hada_w1_a", "te1", Q_PROJ, "hada_w1_a"),
        (f"lora_te2_{Q_PROJ}.lokr_w2_b", "te2", Q_PROJ, "lokr_w2_b"),
        ("lora_unet_input_blocks_1_0_in_layers_2.lora_mid.weight", "unet", "input_blocks_1_0_in_layers_2", "mid"),
        (f"unet.{DOTTED}.lora_A.weight", "unet", TO_Q, "down"),
        (f"unet.{DOTTED}.lora_B.weight", "unet", TO_Q, "up"),
        (f"base_model.model.{DOTTED}.lora_A.default.weight", "unet", TO_Q, "down"),
        (f"unet.{DOTTED}.lora_magnitude_vector", "unet", TO_Q, "magnitude"),
        (f"unet.{DOTTED}.lora.up.weight", "unet", TO_Q, "up"),
        (f"{DOTTED.removesuffix('to_q')}processor.to_q_lora.down.weight", "unet", TO_Q, "down"),
        (f"{DOTTED.removesuffix('to_q')}processor.to_out_lora.down.weight", "unet", f"{TO_Q[:-4]}to_out_0", "down"),
        (f"text_encoder.{TEXT_DOTTED}.lora_linear_layer.up.weight", "te1", Q_PROJ, "up"),
        (f"text_encoder_2.{TEXT_DOTTED}.lora_A.weight", "te2", Q_PROJ, "down"),
        (f"diffusion_model.{DOTTED}.diff_b", "unet", TO_Q, "diff_b"),
        (f"lora_unet_{TO_Q}.b2.weight", "unet", TO_Q, "b2"),
        (f"lora_unet_{TO_Q}.oft_blocks", "unet", TO_Q, "oft_blocks"),
    ],
)
def test_every_form_names_its_layer(key: str, component: Any, name: str, part: str) -> None:
    assert read_key(key) == PartKey(Place(component, name), part)


def test_bundled_embeddings_and_strangers() -> None:
    assert read_key("bundle_emb.my.face.string_to_param.*") == BundledKey("my", "face.string_to_param.*")
    assert read_key("bundle_emb.face.clip_g") == BundledKey("face", "clip_g")
    assert read_key("model.diffusion_model.out.2.bogus") is None
    assert read_key("bundle_emb.") is None


def asked(prompt: str) -> Asked:
    return read_tags(extra_networks(prompt)[1])


@pytest.mark.parametrize(
    ("tag", "wanted"),
    [
        ("<lora:ink>", LoraTag("ink")),
        ("<lora:ink:0.5>", LoraTag("ink", 0.5, 0.5)),
        ("<lora:ink:0.5:0.25>", LoraTag("ink", 0.5, 0.25)),
        ("<lora:ink:0.5:0.25:8>", LoraTag("ink", 0.5, 0.25, 8)),
        ("<lora:ink:te=0.5:unet=-1:dyn=4>", LoraTag("ink", 0.5, -1.0, 4)),
        ("<lora:ink:te=0.5>", LoraTag("ink", 0.5, 0.5)),
        ("<lyco:ink:0.3>", LoraTag("ink", 0.3, 0.3)),
        ("<lora:ink:1:lbw=MIDD>", LoraTag("ink", blocks="MIDD")),
        ("<lora:ink:0.5:0.9:lbw=1,0,0.5>", LoraTag("ink", 0.5, 0.9, blocks="1,0,0.5")),
        ("<lora:ink:1:w=ALL:lbwe=ATT>", LoraTag("ink", blocks="ALL", elements="ATT")),
        ("<lora:ink:1:start=2:stop=0.5>", LoraTag("ink", window=Window(2, 0.5))),
        ("<lora:ink:1:step=4-12>", LoraTag("ink", window=Window(4, 12))),
        ("<lora:ink #2:1>", LoraTag("ink #2")),
    ],
)
def test_tags(tag: str, wanted: LoraTag) -> None:
    assert asked(f"a cat {tag}, red") == Asked((wanted,))


def test_hypernetworks_and_others() -> None:
    assert asked("<hypernet:h> <hypernet:g:0.4> <other:x>").hypernetworks == (
        HypernetworkTag("h"),
        HypernetworkTag("g", 0.4),
    )


def test_a_name_given_twice_counts_twice_with_its_last_strength() -> None:
    assert asked("<lora:a:1><lora:b:1><lora:a:0.5>").loras == (
        LoraTag("a", 0.5, 0.5),
        LoraTag("b"),
        LoraTag("a", 0.5, 0.5),
    )


@pytest.mark.parametrize(
    ("tag", "problem"),
    [
        ("<lora:ink:strong>", "'strong' is not a number"), ("<lora:ink:nan>", "'nan' is not a number"),
        ("<lora:ink:1:1:0>", "dyn must be a whole number from 1 on, not '0'"), ("<lora:te=1>", "it has no name"),
        ("<lora:ink:1:step=4>", "step must be two numbers, for example step=4-12, not '4'"),
    ],
)  # fmt: skip
def test_what_cannot_be_understood_is_said(tag: str, problem: str) -> None:
    found = asked(f"{tag} <lora:good>")
    assert found.loras == (LoraTag("good"),)
    [told] = found.problems
    assert told.startswith(f"{tag} was left out: ")
    assert problem in told


def test_a_tag_ends_at_its_first_bracket() -> None:
    found = asked("<hypernet:h:>x> <lora:good>")
    assert (found.loras, found.hypernetworks, found.problems) == ((LoraTag("good"),), (HypernetworkTag("h"),), ())


def test_a_word_that_means_nothing_is_said_and_the_network_stays() -> None:
    found = asked("<lora:ink:1:colour=red>")
    assert found.loras == (LoraTag("ink"),)
    assert found.problems == ("<lora:ink:1:colour=red>: colour= means nothing and was left out",)


@pytest.mark.parametrize(
    ("window", "steps"),
    [
        (Window(), "11111111"),
        (Window(stop=4), "11110000"),
        (Window(start=4), "00001111"),
        (Window(start=2, stop=5), "00111000"),
        (Window(stop=0.5), "11110000"),
        (Window(start=0.25), "00111111"),
        (Window(start=1), "11111111"),
        (Window(stop=0), "00000000"),
    ],
)
def test_windows_of_8_steps_as_a_sampler_with_one_call_each_reports_them(window: Window, steps: str) -> None:
    reported = [0, *range(7)]
    assert "".join(str(int(window.holds(step, 8))) for step in reported) == steps

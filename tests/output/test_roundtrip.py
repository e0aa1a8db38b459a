"""What was written can be read back: all of it from the file, and from the text alone what texts carry."""

import io
import string

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from webui.domain.catalog import SAMPLERS, SCHEDULES, shown_schedule
from webui.domain.parameters.subject import eta_key
from webui.domain.request import (
    SDXL,
    GenerationRequest,
    Guidance,
    Noise,
    PromptRules,
    Refiner,
    Schedule,
    UniPC,
)
from webui.domain.result import ModelFacts
from webui.output.infotext import InfoFacts, write
from webui.output.metadata import encode, read_request, read_text
from webui.output.parse import parse, read_fields, to_request

CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine may be busy

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=80)
AWKWARD = st.sampled_from(
    [
        "a\nNegative prompt: b",
        "Negative prompt:",
        "a\nSteps: 9, Sampler: x, Seed: 3",
        "x: 1, y: 2, zz: 3",
        "Template: q",
        'q "w" \\ {e}',
        "\n\n a \r\n b\r",
        "Exact prompt: x",
    ]
)
PROMPT = TEXT | AWKWARD | st.builds(lambda one, two: f"{one}\n{two}", AWKWARD, AWKWARD)
NAME = st.text(string.ascii_letters + string.digits + " .,:\"'()[]\\-_é日", min_size=1, max_size=20)
SHARE = st.floats(0, 1, allow_subnormal=False)
POSITIVE = st.floats(0.01, 10, allow_subnormal=False)
SIZE = st.integers(1, 64).map(lambda n: n * 8)
SEED = st.integers(0, 2**64 - 1)


def lines(text: str) -> list[str]:
    """A prompt as texts carry it: white space at the ends of lines is not kept."""
    return [line.strip() for line in text.strip().split("\n")]


@st.composite
def any_request(draw: st.DrawFn) -> GenerationRequest:
    """Every field of a request, anything goes."""
    return GenerationRequest(
        prompt=draw(PROMPT),
        negative_prompt=draw(PROMPT),
        styles=tuple(draw(st.lists(NAME, max_size=2))),
        checkpoint=draw(NAME),
        vae=draw(NAME),
        sampler=draw(st.sampled_from(list(SAMPLERS))),
        scheduler=draw(st.sampled_from(list(SCHEDULES))),
        steps=draw(st.integers(1, 150)),
        cfg_scale=draw(st.floats(0, 100)),
        clip_skip=draw(st.integers(1, 12)),
        width=draw(SIZE),
        height=draw(SIZE),
        seed=draw(SEED),
        subseed=draw(SEED),
        subseed_strength=draw(SHARE),
        seed_resize_from_w=draw(st.integers(0, 1024)),
        seed_resize_from_h=draw(st.integers(0, 1024)),
        batch_size=draw(st.integers(1, 4)),
        tiling=draw(st.booleans()),
        refiner=draw(
            st.none() | st.builds(Refiner, checkpoint=NAME, switch_at=st.floats(0.01, 1), by_steps=st.booleans())
        ),
        noise=draw(
            st.builds(
                Noise,
                source=st.sampled_from(["CPU", "GPU", "NV"]),
                eta=st.none() | SHARE,
                eta_ancestral=SHARE,
                eta_ddim=SHARE,
                ensd=st.integers(-5, 99999),
                s_churn=POSITIVE,
                s_noise=POSITIVE,
                sgm_multiplier=st.booleans(),
                batch_sde=st.booleans(),
            )
        ),
        schedule=draw(
            st.builds(
                Schedule,
                sigma_min=SHARE,
                sigma_max=POSITIVE,
                rho=POSITIVE,
                beta_alpha=POSITIVE,
                discard_penultimate=st.booleans(),
                zero_terminal_snr=st.booleans(),
                downcast_alphas=st.booleans(),
            )
        ),
        unipc=draw(st.builds(UniPC, order=st.integers(1, 50), variant=st.sampled_from(["bh1", "bh2"]))),
        guidance=draw(st.builds(Guidance, s_min_uncond=POSITIVE, pad_conds=st.booleans(), rescale=SHARE)),
        prompting=draw(st.builds(PromptRules, emphasis=st.sampled_from(["None", "Original"]), comments=st.booleans())),
        sdxl=draw(st.builds(SDXL, crop_top=st.integers(0, 4096), aesthetic_score=st.floats(0, 10))),
        extensions=draw(
            st.dictionaries(NAME, st.dictionaries(NAME, st.integers(-(2**53), 2**53) | TEXT, max_size=2), max_size=2)
        ),
    )


@st.composite
def carried_request(draw: st.DrawFn) -> tuple[GenerationRequest, InfoFacts]:
    """A request of which every part stands in the text: what has no effect on the image is at its default."""
    info = SAMPLERS[draw(st.sampled_from(list(SAMPLERS)))]
    scheduler = shown_schedule(info.label, draw(st.sampled_from(list(SCHEDULES))))
    prompt, negative = draw(PROMPT), draw(PROMPT)
    brackets = "(" in prompt + negative or "[" in prompt + negative
    sigma = info.space == "sigma"
    eta = draw(SHARE)
    noise = Noise(
        source=draw(st.sampled_from(["CPU", "GPU", "NV"])),
        eta_ancestral=eta if eta_key(info) == "Eta" else 1.0,
        eta_ddim=eta if eta_key(info) == "Eta DDIM" else 0.0,
        ensd=draw(st.integers(-5, 99999)) if info.uses_ensd and eta != 0 else 0,
        sgm_multiplier=sigma and draw(st.booleans()),
    )
    beta = scheduler == "Beta" and sigma
    schedule = Schedule(
        sigma_min=draw(SHARE) if sigma and scheduler != "Automatic" else 0.0,
        sigma_max=draw(POSITIVE) if sigma and scheduler != "Automatic" else 0.0,
        rho=draw(st.floats(1.5, 6)) if sigma and SCHEDULES[scheduler].default_rho > 0 else 0.0,
        beta_alpha=draw(POSITIVE) if beta else 0.6,
        beta_beta=draw(POSITIVE) if beta else 0.6,
        discard_penultimate=not info.discards_penultimate and draw(st.booleans()),
        zero_terminal_snr=draw(st.booleans()),
        downcast_alphas=draw(st.booleans()),
    )
    strength = draw(SHARE)
    resized = draw(st.booleans())
    name, digest = draw(NAME.map(str.strip).filter(bool)), draw(st.text("0123456789abcdef", min_size=10, max_size=10))
    request = GenerationRequest(
        prompt=prompt,
        negative_prompt=negative,
        checkpoint=f"{name} [{digest}]",
        vae=f"{name}.pt",
        sampler=info.label,
        scheduler=scheduler,
        steps=draw(st.integers(1, 150)),
        cfg_scale=draw(st.floats(0, 100)),
        clip_skip=draw(st.integers(1, 12)),
        width=draw(SIZE),
        height=draw(SIZE),
        seed=draw(SEED),
        subseed=draw(SEED) if strength else -1,
        subseed_strength=strength,
        seed_resize_from_w=draw(st.integers(1, 1024)) if resized else 0,
        seed_resize_from_h=draw(st.integers(1, 1024)) if resized else 0,
        tiling=draw(st.booleans()),
        refiner=draw(
            st.none()
            | st.builds(
                Refiner, checkpoint=st.just(f"{name} [0]"), switch_at=st.floats(0.01, 1), by_steps=st.booleans()
            )
        ),
        noise=noise,
        schedule=schedule,
        guidance=Guidance(
            s_min_uncond=draw(POSITIVE),
            s_min_uncond_all=draw(st.booleans()),
            skip_early_cond=draw(SHARE),
            pad_conds=True,
        ),
        prompting=PromptRules(
            emphasis=draw(st.sampled_from(["None", "Ignore", "Original", "No norm"])) if brackets else "Original",
            old_scheduling="[" in prompt + negative and draw(st.booleans()),
        ),
    )
    facts = InfoFacts(
        model=ModelFacts(name, digest, f"{name}.pt", digest), subseed=max(request.subseed, 0), version="0.1.0"
    )
    return request, facts


def facts_of(request: GenerationRequest) -> InfoFacts:
    return InfoFacts(model=ModelFacts("m", "0123456789"), subseed=max(request.subseed, 0), version="0.1.0")


@CALM
@given(carried_request())
def test_a_request_comes_back_from_its_text(made: tuple[GenerationRequest, InfoFacts]) -> None:
    request, facts = made
    reading = read_fields(parse(write(request, facts)))
    again = reading.request
    assert reading.notices == ()
    assert lines(again.prompt) == lines(request.prompt)
    assert lines(again.negative_prompt) == lines(request.negative_prompt)
    assert again.with_(prompt="", negative_prompt="") == request.with_(prompt="", negative_prompt="")


@CALM
@given(any_request())
def test_a_text_read_and_written_again_stays_the_same(request: GenerationRequest) -> None:
    facts = facts_of(request)
    text = write(request, facts)
    again = to_request(parse(text))
    # The prompt itself loses white space at the ends of its lines the first time, and nothing more after that
    fixed = write(again, facts)
    assert parse(fixed) == {
        **parse(text),
        "Prompt": parse(fixed)["Prompt"],
        "Negative prompt": parse(fixed)["Negative prompt"],
    }
    assert lines(parse(fixed)["Prompt"]) == lines(request.prompt)
    assert lines(parse(fixed)["Negative prompt"]) == lines(request.negative_prompt)


@settings(CALM, max_examples=60)
@given(any_request())
@pytest.mark.parametrize("image_format", ["png", "jpg", "webp"])
def test_every_request_comes_back_from_its_file(image_format: str, request: GenerationRequest) -> None:
    text = write(request, facts_of(request))
    made = encode(Image.new("RGB", (8, 8)), image_format, infotext=text, request=request)  # type: ignore[arg-type]
    opened = Image.open(io.BytesIO(made.data))
    assert made.left_out == ""
    assert read_request(opened) == request
    assert read_text(opened) == text


def test_what_a1111_leaves_out_is_left_out_where_its_texts_are_asked_for() -> None:
    facts = InfoFacts(model=ModelFacts("m", "0123456789"))
    churned = GenerationRequest(sampler="Heun", seed=1, noise=Noise(s_churn=5.0, s_tmax=9.0, s_noise=1.1, ensd=3))
    assert to_request(parse(write(churned, facts))).noise == churned.noise
    plain = write(churned.with_(a1111_infotext=True), facts)
    assert "Sigma" not in plain
    assert "ENSD" not in plain


def test_keys_of_extensions_cannot_forge_others() -> None:
    facts = InfoFacts(
        model=ModelFacts("m", ""), extra={"ControlNet 0": "Module: canny, Weight: 1", "A: 1, Seed": "7\nx"}
    )
    fields = parse(write(GenerationRequest(prompt="a", seed=5), facts))
    assert fields["ControlNet 0"] == "Module: canny, Weight: 1"
    assert fields["Seed"] == "5"


def test_an_extension_can_fill_a_place_of_the_core() -> None:
    facts = InfoFacts(model=ModelFacts("m", "0123456789"), extra={"Denoising strength": "0.5", "Mask blur": "4"})
    text = write(GenerationRequest(prompt="a", seed=5), facts)
    assert text.endswith("Model: m, Denoising strength: 0.5, RNG: CPU, Mask blur: 4")

"""Laws of plans and courses: how many requests, in which order, what differs between them, and what is shown."""

import json
from dataclasses import replace
from itertools import chain
from typing import Any

import pytest
from PIL import Image

from tests.experiments.courses import painted, run
from webui.domain.errors import BadRequestError, WebuiError
from webui.domain.images import Picture
from webui.domain.request import GenerationRequest, Img2Img
from webui.experiments.axis_choice import axes_of
from webui.experiments.course import Made
from webui.experiments.loopback import Options as Loops
from webui.experiments.loopback import strength
from webui.experiments.plans import started
from webui.experiments.prompt_lines import fields_of_line
from webui.experiments.script import Surroundings
from webui.experiments.script_list import SCRIPTS, script_named
from webui.experiments.told_plan import told_plan
from webui.experiments.xyz_plot import XYZ_PLOT
from webui.output.parse import parse

NONE: list[Any] = [0, "", []]
SEED, STEPS, CFG, SEARCH, SAMPLER, CHECKPOINT = 1, 4, 6, 7, 9, 11  # axes of txt2img
AROUND = Surroundings(choices={"upscalers": ("None", "Lanczos", "Nearest")})
SMALL = GenerationRequest(prompt="a cat on a mat", seed=5, subseed=9, width=64, height=64)


def plot(*sides: list[Any], **options: Any) -> list[Any]:
    """The arguments of a plot."""
    flags = {"legend": True, "lone": False, "sub": False, "keep": False, "x": False, "y": False, "z": False}
    flags |= {name: value for name, value in options.items() if name != "margin"}
    padded = [*sides, *[NONE] * (3 - len(sides))]
    return [*chain.from_iterable(padded), *flags.values(), options.get("margin", 0), False]


def picture(side: int = 64) -> GenerationRequest:
    image = Picture.of(Image.new("RGB", (side, side), "red"))
    return SMALL.with_(task=Img2Img(image=image, denoising_strength=0.5))


def begun(name: str, request: GenerationRequest, *args: Any) -> Any:
    script = script_named(name)
    assert script is not None
    return script.start(request, args, AROUND)


def test_cells_come_with_x_fastest() -> None:
    shown, asked = run(XYZ_PLOT.start(SMALL, plot([SEED, "1,2", []], [STEPS, "3-4", []], [CFG, "5,6", []]), AROUND))
    assert len(asked) == 8
    assert [text.split("Seed: ")[1][0] for text in shown.infotexts[1:] if text] == list("12121212")
    assert [(one.cfg_scale, one.steps, one.seed) for one in asked][:3] == [(5, 3, 1), (5, 3, 2), (5, 4, 1)]


def test_the_dearest_axis_changes_least_often() -> None:
    args = plot([CHECKPOINT, "", ["b", "a"]], [SEED, "1,2,3", []])
    shown, asked = run(XYZ_PLOT.start(SMALL, args, AROUND))
    assert [one.checkpoint for one in asked] == ["b"] * 3 + ["a"] * 3
    assert shown.seeds == (1, 1, 2, 2, 3, 3)  # shown x by x all the same


@pytest.mark.parametrize(
    ("flags", "seeds"),
    [({"x": True}, [5, 6, 5, 6]), ({"y": True}, [5, 5, 6, 6]), ({"x": True, "y": True}, [5, 6, 7, 8])],
)
def test_seeds_vary_along_axes(flags: dict[str, bool], seeds: list[int]) -> None:
    _, asked = run(XYZ_PLOT.start(SMALL, plot([STEPS, "3,4", []], [CFG, "5,6", []], **flags), AROUND))
    assert [one.seed for one in asked] == seeds


def test_a_random_seed_is_drawn_once_for_all_cells_or_stays() -> None:
    args, request = plot([STEPS, "3,4,5", []]), SMALL.with_(seed=-1)
    _, asked = run(XYZ_PLOT.start(request, args, AROUND))
    assert len({one.seed for one in asked}) == 1
    assert asked[0].seed >= 0
    _, asked = run(XYZ_PLOT.start(request, plot([STEPS, "3,4", []], keep=True), AROUND))
    assert [one.seed for one in asked] == [-1, -1]


@pytest.mark.parametrize(
    ("flags", "pictures", "texts"),
    [({}, 1, 5), ({"sub": True}, 3, 7), ({"lone": True}, 5, 5), ({"sub": True, "lone": True}, 7, 7)],
)
def test_what_is_shown(flags: dict[str, bool], pictures: int, texts: int) -> None:
    args = plot([SEED, "1,2", []], NONE, [STEPS, "3,4", []], legend=False, **flags)
    shown, _ = run(XYZ_PLOT.start(SMALL, args, AROUND))
    assert (len(shown.pictures), len(shown.infotexts)) == (pictures, texts)
    assert shown.pictures[0].image.image.size == (4 * 64, 64)
    assert "Z Type: Steps" in (shown.infotexts[0] or "")


def test_a_cell_that_fails_is_a_gap_and_is_said() -> None:
    def make(request: GenerationRequest) -> Made:
        return Made(error="out of memory") if request.seed == 2 else painted(request)

    shown, asked = run(XYZ_PLOT.start(SMALL, plot([SEED, "1,2,3", []], legend=False), AROUND), make)
    assert len(asked) == 3
    assert shown.infotexts[2] is None
    assert [notice.text for notice in shown.notices] == ["Seed: 2: out of memory"]
    grid = shown.pictures[0].image.image
    assert grid.getpixel((64 + 32, 10)) != grid.getpixel((32, 10)) == grid.getpixel((128 + 32, 10))


def test_a_plot_of_which_nothing_was_made_fails() -> None:
    with pytest.raises(WebuiError, match="broken"):
        run(XYZ_PLOT.start(SMALL, plot([SEED, "1,2", []]), AROUND), lambda request: Made(error="broken"))


def test_after_a_stop_no_further_cell_is_asked_for() -> None:
    def make(request: GenerationRequest) -> Made:
        return replace(painted(request), stopped=request.seed == 2)

    shown, asked = run(XYZ_PLOT.start(SMALL, plot([SEED, "1,2,3", []]), AROUND), make)
    assert len(asked) == 2
    assert shown.interrupted
    assert shown.infotexts[3] is None


@pytest.mark.parametrize(
    ("args", "place"),
    [
        (plot([99, "1", []]), "script_args.0"),
        (plot([STEPS, "x", []]), "script_args.1"),
        (plot(NONE, [STEPS, "999", []]), "script_args.4"),
        (plot([SEARCH, "dog,cat", []]), "script_args.1"),
        (plot([STEPS, "", []]), "script_args.1"),
        (plot([SEED, "1-1000", []], [SEED, "1-1000", []]), "script_args.1"),
    ],
)
def test_what_cannot_be_planned_is_refused_before_anything_is_made(args: list[Any], place: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        XYZ_PLOT.start(SMALL, args, AROUND)
    assert caught.value.field == place


def test_search_and_order() -> None:
    _, asked = run(XYZ_PLOT.start(SMALL, plot([SEARCH, "cat,dog", []]), AROUND))
    assert [one.prompt for one in asked] == ["a cat on a mat", "a dog on a mat"]
    _, asked = run(XYZ_PLOT.start(SMALL, plot([8, "cat,mat", []]), AROUND))
    assert [one.prompt for one in asked] == ["a cat on a mat", "a mat on a cat"]


def test_older_clients_send_fewer_arguments() -> None:
    old = [STEPS, "2,3", "", SAMPLER, "Euler a, LMS", "", 0, "", "", "True", "False", "False", "False", 2]
    _, asked = run(XYZ_PLOT.start(SMALL, old, AROUND))
    assert [(one.steps, one.sampler) for one in asked] == [(2, "Euler a"), (3, "Euler a"), (2, "LMS"), (3, "LMS")]
    assert {one.seed for one in asked} == {5}


def test_a_prompt_matrix_counts_in_bits() -> None:
    shown, asked = run(begun("Prompt Matrix", SMALL.with_(prompt="a|b|c"), False, True))
    assert [one.prompt for one in asked] == ["a", "a, b", "a, c", "a, b, c"]
    assert [one.seed for one in asked] == [5, 6, 7, 8]
    assert len(shown.pictures) == len(shown.infotexts) == 5


def test_lines_count_up_by_their_pictures() -> None:
    text = "a dog\n\n--prompt a house --n_iter 1 --steps 3\na tree"
    shown, asked = run(begun("prompts from file or textbox", SMALL.with_(n_iter=2), True, False, "end", text))
    assert [(one.prompt, one.seed, one.steps) for one in asked] == [
        ("a cat on a mat a dog", 5, 20), ("a cat on a mat a house", 7, 3), ("a cat on a mat a tree", 8, 20)
    ]  # fmt: skip
    assert len(shown.pictures) == 5


def test_lines_with_the_same_checkpoint_come_together_and_are_shown_in_their_order() -> None:
    text = "one\n--prompt two --sd_model other\nthree\n--prompt four --sd_model other"
    shown, asked = run(begun("prompts from file or textbox", SMALL.with_(prompt=""), False, False, "end", text))
    assert [one.prompt for one in asked] == ["one", "three", "two", "four"]
    assert list(shown.prompts) == ["one", "two", "three", "four"]


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ("a -- b", {"prompt": "a -- b"}),
        ("--prompt a red cat --seed 4", {"prompt": "a red cat", "seed": 4}),
        ('--prompt "a, b" --negative_prompt c d --width 64', {"prompt": "a, b", "negative_prompt": "c d", "width": 64}),
        ("--sampler_name eULER", {"sampler": "Euler"}),
        ("--outpath_samples x --tiling true", {"tiling": True}),
        ("--unknown 1", {"prompt": "--unknown 1"}),
        ("--steps many", {"prompt": "--steps many"}),
        ("--steps", {"prompt": "--steps"}),
    ],
)
def test_lines_that_are_commands(line: str, fields: dict[str, Any]) -> None:
    assert fields_of_line(line) == fields


@pytest.mark.parametrize(
    ("curve", "middle"), [("Linear", 0.5), ("Aggressive", 0.2 + 0.6 * 2**-0.5), ("Lazy", 0.8 - 0.6 * 2**-0.5)]
)
def test_curves_of_loops(curve: Any, middle: float) -> None:
    options = Loops(3, 0.8, curve)
    assert [strength(0.2, options, loop) for loop in range(3)] == pytest.approx([0.2, middle, 0.8])
    assert strength(0.2, Loops(1, 0.8, curve), 0) == 0.2


def test_each_loop_starts_from_the_one_before_it() -> None:
    shown, asked = run(begun("loopback", picture(), 3, 0.5, "Linear", "None"))
    assert [one.seed for one in asked] == [5, 6, 7]
    pixels = [one.task.image.open().getpixel((0, 0)) for one in asked if isinstance(one.task, Img2Img)]
    assert pixels == [(255, 0, 0), (0, 99, 99), (0, 99, 99)]
    assert [one.role for one in shown.pictures] == ["grid", "cell", "cell", "cell"]
    assert "RNG: CPU, Final denoising strength: 0.5, Denoising curve: Linear, Version" in (shown.infotexts[0] or "")


def test_tiles_of_a_batch_share_a_seed() -> None:
    shown, asked = run(begun("sd upscale", picture(128).with_(batch_size=3), None, 16, "None", 2.0))
    assert [(one.seed, one.batch_size) for one in asked] == [(5, 3), (6, 3), (7, 3)]
    assert [one.image.image.size for one in shown.pictures] == [(128, 128)]


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("sd upscale", [None, 64, "None", 2.0]), ("sd upscale", [None, 16, "nothing like it", 2.0]),
        ("sd upscale", [None, 16, 9, 2.0]), ("outpainting mk2", [None, 64, 8, ["inwards"], 1.0, 0.05]),
        ("loopback", [2, 0.5, "Straight", "None"]), ("loopback", [0, 0.5]), ("loopback", [2, 0.5, "Linear", "CLIP"]),
        ("poor man's outpainting", [64, 4, 7, ["left"]]),
    ],
)  # fmt: skip
def test_wrong_arguments_are_named(name: str, args: list[Any]) -> None:
    with pytest.raises(BadRequestError, match="script_args"):
        begun(name, picture(), *args)


def test_scripts_of_pictures_need_one() -> None:
    for script in SCRIPTS:
        if "txt2img" not in script.tasks:
            with pytest.raises(BadRequestError, match="script_name"):
                script.start(SMALL, (), AROUND)


@pytest.mark.parametrize("sides", [["right"], ["left", "up"], ["left", "right", "up", "down"]])
@pytest.mark.parametrize("name", ["outpainting mk2", "poor man's outpainting"])
def test_outpainting_grows_to_multiples_of_64_and_keeps_the_middle(name: str, sides: list[str]) -> None:
    args = [None, 32, 0, sides, 1.0, 0.05] if name == "outpainting mk2" else [32, 0, 1, sides]
    shown, asked = run(begun(name, picture().with_(width=64, height=64), *args))
    grown = shown.pictures[-1].image.image
    across, down = {"left", "right"} & set(sides), {"up", "down"} & set(sides)
    assert grown.size == (64 + 64 * bool(across), 64 + 64 * bool(down))
    left = 0 if "left" not in sides else 64 if "right" not in sides else 32
    top = 0 if "up" not in sides else 64 if "down" not in sides else 32
    assert grown.getpixel((left + 32, top + 32)) == (255, 0, 0)
    assert asked


@pytest.mark.parametrize(
    "sides",
    [
        [[SEED, "3,-1", []], [STEPS, "3-5 (+1)", []]],
        [[SEARCH, '"cat, black",dog', []], [CFG, "1-5 [3]", []], [CHECKPOINT, "", ["b", "a,c"]]],
        [NONE, [SAMPLER, "Euler, Heun", []]],
    ],
)
def test_a_plot_that_an_infotext_tells_of_comes_out_again(sides: list[list[Any]]) -> None:
    request = SMALL.with_(prompt="cat, black, dog")
    shown, asked = run(XYZ_PLOT.start(request, plot(*sides), AROUND))
    told, missing = told_plan(parse(shown.infotexts[0] or ""), axes_of("txt2img", AROUND))
    assert missing == ()
    again, asked_again = run(started(json.dumps(told), request, AROUND))
    assert asked_again == asked
    assert again.infotexts[0] is not None


def test_an_axis_that_is_not_here_is_named_and_other_scripts_are_no_plots() -> None:
    known = axes_of("txt2img", AROUND)
    fields = {"Script": "X/Y/Z plot", "X Type": "Moon", "X Values": "1,2", "Y Type": "Steps", "Y Values": "3, 4"}
    told, missing = told_plan(fields, known)
    assert told == {"kind": "xyz", "axes": [{"id": "steps", "values": "3, 4"}]}
    assert missing == ("X Type: there is no axis “Moon” here; the plot is put together without it",)
    assert told_plan({"Script": "X/Y/Z plot"}, known) == (None, ())
    assert told_plan({**fields, "Script": "Loopback"}, known) == (None, ())

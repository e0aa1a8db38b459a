"""Journeys through the forms of extensions and the tabs Upscale, Models and Extensions, with the miniature's models."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import BrowserContext, Page, Request, Route, expect

from tests.narrowing import known
from tests.ui.accessibility import axe
from tests.ui.driving import eventually
from tests.ui.running_program import ROOT, running_program
from tests.ui.staying import PASSED, Staying
from tests.ui.visiting import PHONE

STARTING = {"steps": 4, "width": 128, "height": 128}  # few and small, as no test looks at what was painted


@dataclass(frozen=True)
class Program:
    """A running program with folders of its own."""

    address: str
    folder: Path

    @property
    def pictures(self) -> list[Path]:
        return sorted((self.folder / "outputs").rglob("*.png"), key=lambda path: path.stat().st_mtime_ns)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[Program]:
    folder = tmp_path_factory.mktemp("program")
    for file in (ROOT / "models").rglob("*.safetensors"):
        place = folder / "models" / file.relative_to(ROOT / "models")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(file)
    shutil.copytree(ROOT / "extensions", folder / "extensions", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "sources").mkdir()
    flags = {
        "--models-dir": folder / "models", "--extensions-dir": folder / "extensions",
        "--extension-sources": folder / "sources", "--threads": 1,
    }  # fmt: skip
    with running_program(folder, port, STARTING, flags):
        yield Program(f"http://127.0.0.1:{port}/", folder)


MINI = re.compile(r"mini\.safetensors( \[\w+\])?")  # its hash is shown once it is known
CHECKPOINT = ":is(#setting_sd_model_checkpoint, #txt2img_checkpoint) input"


@pytest.fixture(scope="module")
def staying(shared_context: BrowserContext, program: Program) -> Iterator[Staying]:
    made = Staying(shared_context, program, size=(1440, 900), checkpoint=MINI, hears_errors=True)
    yield made
    made.leave()


AS_UNTOUCHED = """() => {
  const resets = [...document.querySelectorAll(".action .a-go .f-quiet:not([hidden])")];
  resets.filter((one) => one.textContent === "Reset the form").forEach((one) => one.click());
  document.querySelectorAll("#extras .f-thumb button").forEach((one) => one.click());
  document.querySelectorAll(".action :is(.a-status, .a-made)").forEach((one) => one.replaceChildren());
}"""


@pytest.fixture
def page(staying: Staying, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The page of the file, as it is when it has just been opened; errors in its scripts fail the test."""
    page = staying.open()
    yield page
    staying.give_back(is_of_use=request.node.stash.get(PASSED, False), before=lambda: page.evaluate(AS_UNTOUCHED))


@pytest.fixture
def asked(staying: Staying, shared_context: BrowserContext) -> Iterator[list[str]]:
    """What a page that is opened anew asks of extensions."""
    found: list[str] = []

    def note(request: Request) -> None:
        if "/extensions/" in request.url:
            found.append(request.url)

    staying.leave()
    shared_context.on("request", note)
    yield found
    shared_context.remove_listener("request", note)


@pytest.fixture
def held(staying: Staying, shared_context: BrowserContext) -> Iterator[list[Route]]:
    """The questions for files of a page that is opened anew, which wait for their answers as on a slow line."""
    found: list[Route] = []
    staying.leave()
    shared_context.route("**/page/files/*", lambda route: found.append(route))
    yield found
    shared_context.unroute("**/page/files/*")


HEAR_SENT = """async () => {
  const bus = await import(`${webui.base}internal/page/static/${webui.version}/bus.js`);
  return {promise: new Promise((done) => bus.hear("picture:send", ({picture, to}) => done([to, picture.width])))};
}"""


def circle(folder: Path) -> Path:
    """A picture of a red circle."""
    picture = Image.new("RGB", (128, 128), "white")
    ImageDraw.Draw(picture).ellipse((30, 30, 98, 98), fill="red")
    path = folder / "circle.png"
    picture.save(path)
    return path


def open_tab(page: Page, name: str) -> None:
    page.locator(f"#tab_{name}-button").click()


def made(page: Page, program: Program) -> str:
    """Generate, and give back the parameters inside the picture that was saved."""
    before = len(program.pictures)
    page.locator("#txt2img_generate").click()
    texts: list[str] = []

    def is_there() -> bool:
        for path in program.pictures[before:]:
            with suppress(OSError), Image.open(path) as picture:  # a file is renamed when it is whole
                texts.extend([picture.info["parameters"]] if "parameters" in picture.info else [])
        return bool(texts)

    eventually(page, is_there)
    return texts[0]


def switch_on(page: Page, extension: str) -> None:
    box = page.locator(f"#txt2img_extension_{extension}_enable input")
    box.scroll_into_view_if_needed()
    box.check()


def form_of(page: Page, extension: str) -> str:
    return f"#txt2img_extension_{extension}_options"


def test_extensions_that_are_off_ask_the_server_nothing(asked: list[str], page: Page) -> None:
    expect(page.locator("#txt2img_extension_controlnet_options .declared")).to_be_attached()
    page.wait_for_timeout(1500)  # longer than a form waits before it looks what it lacks
    assert asked == []
    switch_on(page, "controlnet")
    eventually(page, lambda: len(asked) > 0)


def test_i_load_a_picture_see_its_map_and_one_switch_lets_it_guide_mine(
    page: Page, program: Program, tmp_path: Path
) -> None:
    switch_on(page, "controlnet")
    form = page.locator(form_of(page, "controlnet"))
    form.locator("input[type=file]").first.set_input_files(circle(tmp_path))
    expect(form.get_by_alt_text("Picture")).to_be_visible()
    form.get_by_role("radio", name="Canny").click()
    expect(form.locator("[data-field='units.0.module'] select option:checked")).to_have_text("canny")
    form.get_by_role("button", name="Preview map").click()
    expect(form.get_by_alt_text("Map")).to_be_visible()
    expect(form.get_by_role("alert")).to_contain_text("mini-edges")  # which it offers, as its name tells nothing
    model = form.locator("[data-field='units.0.model'] select")
    model.select_option(label=model.locator("option", has_text="mini-edges").inner_text())
    expect(form.get_by_role("alert")).to_have_count(0)
    expect(form.get_by_role("button", name="Canny 1")).to_be_visible()  # the chip of the unit
    parameters = made(page, program)
    assert 'ControlNet 0: "Module: canny, Model: mini-edges' in parameters


def test_a_control_that_lacks_its_model_says_which_file_belongs_where(page: Page) -> None:
    switch_on(page, "controlnet")
    form = page.locator(form_of(page, "controlnet"))
    form.get_by_role("radio", name="Depth").click()
    alert = form.get_by_role("alert").filter(has_text="lacks its network")
    expect(alert).to_contain_text("models/ControlNetPreprocessor/depth_midas")
    expect(form.locator("[data-field='units.0.module'] select")).to_have_attribute("aria-invalid", "true")
    form.get_by_role("button", name="Another unit").click()
    expect(form.get_by_role("button", name="2 new")).to_have_attribute("aria-pressed", "true")
    form.get_by_role("button", name="Remove unit 2").click()
    expect(form.get_by_role("button", name="Another unit")).to_be_visible()
    expect(form.locator(".f-unitchip")).to_have_count(1)


def test_the_thresholds_of_a_preprocessor_bear_its_own_names(page: Page) -> None:
    switch_on(page, "controlnet")
    form = page.locator(form_of(page, "controlnet"))
    form.get_by_role("radio", name="Canny").click()
    form.locator("summary").click()
    expect(form.get_by_role("slider", name="Low Threshold")).to_have_value("100")
    form.get_by_role("radio", name="Tile").click()
    expect(form.get_by_role("slider", name="Low Threshold")).to_have_count(0)
    expect(form.get_by_role("slider", name="Down Sampling Rate")).to_be_visible()


def test_i_have_the_shapes_of_my_picture_repainted_and_am_told_which_file_hands_need(
    page: Page, program: Program
) -> None:
    page.locator("#txt2img_prompt textarea").fill("a red circle on a white background")
    switch_on(page, "detailer")
    form = page.locator(form_of(page, "detailer"))
    form.get_by_role("radio", name="Hands").click()
    expect(form.get_by_role("alert")).to_contain_text("hand_yolov8n.pt")
    form.get_by_role("radio", name="Drawn shapes").click()
    expect(form.get_by_role("alert")).to_have_count(0)
    expect(form.locator("[data-field='units.0.model'] select option:checked")).to_have_text("drawn_shapes")
    form.locator("[data-field='units.0.prompt'] textarea").fill("a green circle")
    parameters = made(page, program)
    assert "ADetailer model: drawn_shapes, ADetailer prompt: a green circle, ADetailer confidence: 0.3" in parameters


def test_i_let_guidance_act_in_a_part_of_the_steps(page: Page, program: Program) -> None:
    switch_on(page, "guidance")
    form = page.locator(form_of(page, "guidance"))
    end = form.get_by_role("slider", name="Acts from, to: to")
    end.focus()
    for _ in range(5):
        page.keyboard.press("ArrowLeft")
    expect(form.locator("output").first).to_have_text("0 – 95 %")
    assert "Guidance end: 0.95" in made(page, program)


@pytest.mark.parametrize("tab", ["extras", "modelmerger", "extensions"])
def test_the_tabs_have_no_barrier_and_do_not_scroll(page: Page, tab: str) -> None:
    open_tab(page, tab)
    page.wait_for_timeout(500)
    assert axe(page, f"#tab_{tab}") == []  # what is around it is the same in tests/ui/test_every_tab.py
    assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")


def test_i_see_where_the_parts_of_my_prompt_act_and_paint_other_places(page: Page, program: Program) -> None:
    switch_on(page, "regions")
    form = page.locator(form_of(page, "regions"))
    expect(form.locator(".f-places")).to_contain_text("Write BREAK")
    page.locator("#txt2img_prompt textarea").fill("a red circle on the left BREAK a blue square on the right")
    drawn = form.locator(".f-sheet .place-box")
    expect(drawn).to_have_count(2)
    form.locator("[data-field=ratios] input").fill("1,3")
    expect(drawn.first).to_have_attribute("style", re.compile("width: 25%"))
    form.get_by_role("button", name="Over the picture").click()
    expect(page.locator(".places .place-box")).to_have_count(2)
    form.get_by_text("Colours", exact=True).click()
    expect(page.locator(".places .place-box")).to_have_count(0)
    form.get_by_role("button", name="Paint").click()
    for chip, (left, right) in {"1": (0.0, 0.5), "2": (0.5, 1.0)}.items():
        form.get_by_role("radio", name=chip, exact=True).click()
        paper = form.locator(".f-paper")
        paper.scroll_into_view_if_needed()
        box = known(paper.bounding_box())
        page.mouse.move(box["x"] + left * box["width"] + 1, box["y"] + 1)
        page.mouse.down()
        page.mouse.move(box["x"] + right * box["width"], box["y"] + box["height"] - 1)
        with page.expect_response(re.compile("upload")):
            page.mouse.up()
    text = made(page, program)
    assert "RP Divide mode: Mask" in text
    assert "BREAK a blue square" in text


@pytest.mark.usefixtures("opened_anew")
def test_i_send_my_picture_on_from_the_stage_to_tabs_that_i_have_not_opened_yet(page: Page, program: Program) -> None:
    page.locator("#txt2img_prompt textarea").fill("a red circle on a blue background")
    made(page, program)
    for place in ("Send to PNG Info", "Open in the library"):
        open_tab(page, "txt2img")
        expect(page.locator("#stage_more")).to_be_enabled()
        page.locator("#stage_more").click()
        page.get_by_role("menuitem", name=place).click()
        if place == "Send to PNG Info":
            expect(page.locator("#pnginfo_text")).to_have_value(re.compile("^a red circle on a blue background"))
            page.locator("#tab_pnginfo").get_by_role("button", name="img2img", exact=True).click()
            expect(page.locator(".canvas-picture")).to_be_visible()
            assert "Denoising strength" in made(page, program)
    shown = page.locator("dialog[open]")
    expect(shown.locator(".lineage")).to_contain_text("img2img")  # the newest picture is the one that was made last
    shown.get_by_role("button", name="ControlNet", exact=True).click()
    expect(page.get_by_role("img", name="Picture", exact=True)).to_be_visible()
    expect(page.locator("#tab_txt2img-button")).to_have_attribute("aria-selected", "true")


def test_i_merge_two_checkpoints_and_use_the_mixture_at_once(page: Page, program: Program) -> None:
    open_tab(page, "modelmerger")
    page.locator("#tab_checkpoint_merge_merge-button").click()
    form = page.locator("#checkpoint_merge_merge")
    for letter, name in (("a", "mini"), ("b", "mini-dusk")):
        page.locator(f"#checkpoint_merge_merge_{letter}").click()
        page.get_by_role("dialog").get_by_role("button").filter(has=page.get_by_text(name, exact=True)).click()
    form.get_by_role("button", name="GRAD_V").click()
    expect(form.locator(".a-recipe")).to_contain_text("GRAD_V in the UNet")
    bars = form.get_by_role("group", name="Alpha by block").bounding_box()
    assert bars is not None
    page.mouse.move(bars["x"] + 10, bars["y"] + 60)
    page.mouse.down()
    page.mouse.move(bars["x"] + bars["width"] - 10, bars["y"] + 100, steps=30)  # one drag draws a curve
    page.mouse.up()
    expect(form.get_by_role("button", name="GRAD_V")).to_have_attribute("aria-pressed", "false")
    form.get_by_label("Name of the file").fill("half dusk")
    form.get_by_role("button", name="Save").click()
    form.get_by_role("button", name="Use it").click()
    assert (program.folder / "models" / "Stable-diffusion" / "half dusk.safetensors").is_file()
    expect(page.locator(CHECKPOINT)).to_have_value("half dusk.safetensors")
    open_tab(page, "txt2img")
    assert "Model: half dusk" in made(page, program)
    open_tab(page, "modelmerger")
    page.locator("#tab_models_browse-button").click()
    page.get_by_role("button", name="mini SD1").first.click()
    page.get_by_role("dialog").get_by_role("button", name="Use it").click()
    expect(page.locator(CHECKPOINT)).to_have_value(MINI)


def test_a_list_that_is_opened_before_its_files_are_known_shows_them_when_they_come(
    held: list[Route], page: Page
) -> None:
    open_tab(page, "modelmerger")
    page.locator("#tab_checkpoint_merge_merge-button").click()
    page.locator("#checkpoint_merge_merge_a").click()
    dialog = page.get_by_role("dialog", name="A")
    expect(dialog.get_by_role("status")).to_have_text("Reading …")
    for route in held:
        route.continue_()
    dialog.get_by_role("button").filter(has=page.get_by_text("mini", exact=True)).click()
    expect(page.locator("#checkpoint_merge_merge_a")).to_contain_text("mini")


def test_i_see_what_a_mixture_would_change_and_try_it_without_a_file(page: Page, program: Program) -> None:
    open_tab(page, "modelmerger")
    page.locator("#tab_checkpoint_merge_merge-button").click()
    form = page.locator("#checkpoint_merge_merge")
    expect(form.get_by_role("button", name="Try (no file)")).to_be_disabled()
    for letter, name in (("a", "mini"), ("b", "mini-dusk")):
        page.locator(f"#checkpoint_merge_merge_{letter}").click()
        page.get_by_role("dialog").get_by_role("button").filter(has=page.get_by_text(name, exact=True)).click()
    form.get_by_role("button", name="Show what differs").click()
    expect(form.get_by_role("img", name="How much the files differ")).to_be_visible()
    form.get_by_role("button", name="Try (no file)").click()
    expect(page.locator("#txt2img_extension_checkpoint_merge_enable input")).to_be_checked()
    assert '"b": "mini-dusk.safetensors"' in made(page, program).replace("\\", "")


def test_i_upscale_a_picture_and_draw_the_line_between_before_and_after(
    page: Page, program: Program, tmp_path: Path
) -> None:
    open_tab(page, "extras")
    tab = page.locator("#extras")
    page.locator("#extras_image").set_input_files(circle(tmp_path))
    page.locator("#extras_upscaler").select_option("mini-x2.safetensors")
    tab.get_by_role("button", name="Upscale").click()
    expect(tab.get_by_alt_text("The result, 256 × 256")).to_be_visible()
    line = tab.get_by_role("slider", name="Compare with the picture before")
    line.focus()
    page.keyboard.press("End")
    assert tab.locator(".u-view").evaluate("view => view.style.getPropertyValue('--share')") == "100%"
    sent = page.evaluate_handle(HEAR_SENT)
    tab.get_by_role("button", name="Send to img2img").click()
    assert sent.evaluate("sent => sent.promise") == ["img2img", 256]


def test_on_a_phone_the_form_of_merging_stacks_and_stays_in_its_width(page: Page) -> None:
    open_tab(page, "modelmerger")
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    page.locator("#tab_checkpoint_merge_merge-button").click()
    form = page.locator("#checkpoint_merge_merge")
    expect(form.get_by_role("button", name="Save")).to_be_in_viewport()
    assert form.evaluate("element => element.scrollWidth <= innerWidth")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_i_install_an_extension_from_a_folder_and_remove_it(page: Page, program: Program) -> None:
    # the last of the file, as the worker starts anew with other extensions
    source = program.folder / "sources" / "soft_glow"
    command = [sys.executable, "-m", "webui", "extensions", "new", "soft_glow", "--extensions-dir", str(source.parent)]
    subprocess.run(command, cwd=program.folder, check=True, env={"PYTHONPATH": str(ROOT), "PATH": ""})
    open_tab(page, "extensions")
    search = page.locator("#extensions_source")
    search.fill(str(source))
    search.press("Enter")
    plan = page.locator("#extensions_planned")
    expect(plan.get_by_role("heading", name="Install soft_glow 0.1.0")).to_be_visible()
    expect(plan).to_contain_text("computes only")
    expect(plan.locator("[aria-current=step]")).to_have_text("You look at this plan")
    plan.get_by_role("button", name="Install").click()
    expect(plan).to_contain_text("is installed")
    search.fill("")
    row = page.locator("#extension_row_soft_glow")
    expect(row).to_contain_text("Brightens pictures")
    row.get_by_role("switch").uncheck()
    expect(page.locator("#extensions_status")).to_contain_text("Saved")
    row.get_by_role("button", name="Remove").click()
    plan.get_by_role("button", name="Remove").click()
    expect(row).to_have_count(0)

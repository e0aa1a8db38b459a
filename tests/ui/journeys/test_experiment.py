"""What a person does with an experiment, in a real browser; a stand-in answers in the place of the routes of plots."""

import csv
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from tests.ui.accessibility import axe
from tests.ui.driving import eventually, type_prompt
from tests.ui.experiment_page import CFG, SAMPLERS, WORDS, begun, cells, face, foot, generate, plan, say, tray
from tests.ui.experiment_page import page as page
from tests.ui.experiment_page import plots as plots
from tests.ui.fakes import FakeEngine
from tests.ui.plots_stand_in import PlotsStandIn
from tests.ui.staying import Staying
from webui.domain.errors import BadRequestError


@pytest.fixture
def page_of_program(staying: Staying, engine: FakeEngine) -> Iterator[Page]:
    """A page of the program with its own routes."""
    with staying.opened() as page:
        yield page


def test_i_vary_three_things_see_how_much_it_is_and_generate_27(page: Page, plots: PlotsStandIn) -> None:
    asked = len(plots.asked)
    for letter, typed in (("X", "cfg"), ("Y", "s/r"), ("Z", "sampler")):
        face(page).get_by_role("button", name=f"+ {letter} axis").click()
        page.keyboard.type(typed)
        page.keyboard.press("Enter")
    text = face(page).get_by_role("textbox", name="Values of CFG Scale as text")
    text.fill("4-9 [3]")
    expect(face(page).get_by_role("slider", name="CFG Scale: to")).to_have_value("9")
    box = face(page).get_by_role("textbox", name="Add a text to Prompt S/R")
    for typed in ("mist", '"rain, wind"', "snow"):
        box.fill(typed)
        box.press("Enter")
    for name in ("Euler a", "UniPC"):
        face(page).get_by_role("button", name="Add a value of Sampler").click()
        page.get_by_role("option", name=name).click()
    expect(foot(page)).to_contain_text("27 pictures")
    expect(foot(page)).to_contain_text("3 × 3 × 3 · about")
    expect(cells(page)).to_have_count(9)
    assert len(plots.asked) == asked  # nothing is asked while it is built
    expect(generate(page)).to_have_text("Generate 27")
    generate(page).click()
    eventually(page, lambda: bool(plots.sent) and len(plots.sent[-1]["axes"]) == 3)
    x, y, z = plots.sent[-1]["axes"]
    assert x == CFG
    assert y["values"] == ["mist", "rain, wind", "snow"]
    assert z == SAMPLERS


def test_i_change_a_range_by_its_handle_its_count_and_a_cross(page: Page) -> None:
    plan(page, CFG)
    text = face(page).get_by_role("textbox", name="Values of CFG Scale as text")
    face(page).get_by_role("slider", name="CFG Scale: to").press("ArrowRight")
    expect(text).to_have_value("4-9.5 [3]")
    face(page).get_by_role("button", name="More values").click()
    expect(text).to_have_value("4-9.5 [4]")
    expect(generate(page)).to_have_text("Generate 4")
    face(page).get_by_role("list", name="Values of CFG Scale").get_by_role("button").first.click()
    expect(generate(page)).to_have_text("Generate 3")
    text.fill("4-9 [3], x")
    expect(face(page).get_by_role("alert")).to_contain_text("“x” is neither a number nor a range")
    expect(foot(page)).to_contain_text("0 pictures")


def test_i_hold_alt_and_click_the_name_of_a_control(page: Page) -> None:
    face(page).get_by_role("radio", name="Form").click()
    expect(page.locator("#txt2img_cfg_scale")).to_be_visible()
    page.locator("#txt2img_cfg_scale [data-testid=block-info]").click(modifiers=["Alt"])
    expect(face(page).get_by_role("region", name="Axis X").get_by_role("button", name="CFG Scale")).to_be_visible()
    face(page).get_by_role("radio", name="Form").click()
    page.locator("#txt2img_steps [data-testid=block-info]").click(modifiers=["Alt"])
    expect(face(page).get_by_role("region", name="Axis Y").get_by_role("button", name="Steps")).to_be_visible()
    face(page).get_by_role("button", name="Make it X").click()
    expect(face(page).get_by_role("region", name="Axis X").get_by_role("button", name="Steps")).to_be_visible()


def test_what_is_asked_for_may_come_late_or_not_at_all(page: Page, plots: PlotsStandIn) -> None:
    face(page).get_by_role("radio", name="Form").click()
    held: list[Route] = []
    page.route("**/internal/page/experiments", lambda route: held.append(route))
    page.reload()
    names = [page.locator(f"#txt2img_{name} [data-testid=block-info]") for name in ("cfg_scale", "steps")]
    names[0].click(modifiers=["Alt"])
    eventually(page, lambda: len(held) == 1)
    held[0].fulfill(status=500, json={"detail": "not now"})
    expect(page.locator(".notice.error").last).to_contain_text("not now")
    for name in names:
        name.click(modifiers=["Alt"])  # what was not answered is asked for again, once
    eventually(page, lambda: len(held) == 2)
    held[1].fallback()
    for letter, label in (("X", "CFG Scale"), ("Y", "Steps")):
        axis = face(page).get_by_role("region", name=f"Axis {letter}")
        expect(axis.get_by_role("button", name=label)).to_be_visible()
    expect(page.locator(".notice").filter(has_text="cannot be an axis")).to_have_count(0)
    face(page).get_by_role("button", name="Lines", exact=True).click()
    box = face(page).get_by_role("textbox", name="List of prompt inputs")
    box.fill("a fox")
    say(page, "files:changed", {})  # as when a training ends
    eventually(page, lambda: len(held) == 3)
    with page.expect_response("**/internal/page/experiments"):
        held[2].fallback()
    page.unroute("**/internal/page/experiments")
    page.keyboard.type("es")
    expect(box).to_have_value("a foxes")
    expect(box).to_be_focused()


def test_earlier_sheets_that_come_late_do_not_open_over_what_is_typed(page: Page, plots: PlotsStandIn) -> None:
    plan(page, CFG)
    held: list[Route] = []
    page.route("**/internal/page/plots", lambda route: held.append(route))
    earlier = face(page).get_by_role("button", name="Earlier sheets")
    earlier.click()
    text = face(page).get_by_role("textbox", name="Values of CFG Scale as text")
    text.fill("4-9 [")
    eventually(page, lambda: len(held) == 1)
    with page.expect_response("**/internal/page/plots"):
        held[0].fallback()
    page.keyboard.type("4]")
    expect(text).to_have_value("4-9 [4]")
    earlier.click()
    eventually(page, lambda: len(held) == 2)
    say(page, "experiment:fill", {"plan": {"kind": "xyz", "axes": [CFG]}})  # draws the button anew
    held[1].fallback()
    expect(page.get_by_role("dialog", name="Earlier sheets")).to_be_visible()
    page.unroute("**/internal/page/plots")
    page.keyboard.press("Escape")
    expect(earlier).to_be_focused()


def test_what_the_server_refuses_is_said_at_its_axis(page: Page, plots: PlotsStandIn) -> None:
    plots.refusal = BadRequestError("experiment.axes.1", "Prompt S/R: 'mist' occurs in neither prompt")
    plan(page, CFG, WORDS)
    generate(page).click()
    expect(page.locator(".notice.error").last).to_contain_text("'mist' occurs in neither prompt")
    expect(page.locator("#experiment_axes_1.wrong-field")).to_be_visible()


def test_cells_come_one_after_another_and_i_compare_two(page: Page, plots: PlotsStandIn) -> None:
    plot_id = begun(page, plots, CFG, WORDS, SAMPLERS)
    for x in range(3):
        plots.cell(plot_id, [x, 0, 0])
    plots.cell(plot_id, [0, 1, 0], "running")
    told = {"id": plots.plots[plot_id]["job"], "fraction": 0.1, "step": 12, "steps": 20, "phase": "sampling"}
    plots.say("progress", {**told, "image": 4, "images": 27, "seconds_left": 200, "preview": None})
    expect(page.locator("#sheet .s-status")).to_have_text("Picture 4 of 27 · 3 min left")
    expect(page.get_by_role("button", name="CFG Scale 4 · rain · DPM++ 2M, step 12/20")).to_be_visible()
    expect(page.get_by_role("button", name="CFG Scale 4 · snow · DPM++ 2M, not made yet")).to_be_visible()
    cells(page).first.hover()
    width = cells(page).first.evaluate("(cell) => cell.clientWidth")
    page.mouse.wheel(0, -300)
    page.wait_for_function("(width) => document.querySelector('#sheet .s-cell').clientWidth > width", arg=width)
    page.keyboard.press("0")
    page.wait_for_function("(width) => document.querySelector('#sheet .s-cell').clientWidth === width", arg=width)
    cells(page).first.click()
    expect(tray(page)).to_contain_text("CFG Scale 4 · mist · DPM++ 2M · seed 0")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+Enter")
    tray(page).get_by_role("button", name="Compare").click()
    line = page.get_by_role("slider", name="Compare the two cells")
    expect(line).to_be_focused()
    page.keyboard.press("Home")
    expect(line).to_have_value("0")
    expect(page.locator("#sheet .s-name")).to_have_text([re.compile("CFG Scale 4 · mist"), re.compile("CFG Scale 9")])
    page.keyboard.press("Escape")
    expect(line).to_be_hidden()
    page.get_by_role("radio", name="Euler a").click()
    expect(cells(page).first).to_have_attribute("data-state", "empty")
    page.keyboard.press("Escape")
    expect(tray(page)).to_be_hidden()


def test_a_cell_fails_i_stop_and_go_on(page: Page, plots: PlotsStandIn) -> None:
    plot_id = begun(page, plots, CFG)
    plots.cell(plot_id, [0, 0, 0])
    plots.cell(plot_id, [1, 0, 0], "failed", "out of memory: 2 GB are missing")
    plots.run(plot_id, "stopped")
    expect(page.locator("#sheet .s-status")).to_have_text("1 of 3 pictures · 1 failed")
    page.get_by_role("button", name="CFG Scale 6.5, failed: out of memory: 2 GB are missing").click()
    expect(tray(page)).to_contain_text("2 GB are missing")
    page.get_by_role("button", name="Go on").click()
    eventually(page, lambda: (f"plots/{plot_id}/go_on", {}) in plots.asked)
    plots.run(plot_id)
    expect(page.locator("#sheet .s-status")).to_contain_text("Picture 3 of 3")
    expect(page.get_by_role("button", name="Go on")).to_be_hidden()


def test_i_add_a_value_and_only_its_cells_are_made(page: Page, plots: PlotsStandIn) -> None:
    plot_id = begun(page, plots, CFG, WORDS)
    for at in ([x, y, 0] for x in range(3) for y in range(3)):
        plots.cell(plot_id, at)
    plots.run(plot_id, "done")
    expect(page.locator("#sheet .s-status")).to_have_text("9 pictures")
    page.get_by_role("button", name="One more value of CFG Scale").click()
    expect(cells(page)).to_have_count(12)
    page.get_by_role("button", name="One more value of Prompt S/R").click()
    page.keyboard.type("fog")
    page.keyboard.press("Enter")
    expect(cells(page)).to_have_count(16)
    extended = [body for path, body in plots.asked if path == f"plots/{plot_id}/extend"]
    assert extended == [{"axis": 0, "values": ["11.5"]}, {"axis": 1, "values": ["fog"]}]
    expect(page.locator("#sheet .s-status")).to_have_text("9 of 16 pictures")
    expect(generate(page)).to_have_text("Generate 16")


def test_plan_and_sheet_are_there_after_a_reload_and_a_cell_fills_the_form(page: Page, plots: PlotsStandIn) -> None:
    plot_id = begun(page, plots, CFG)
    plots.cell(plot_id, [1, 0, 0])
    plots.run(plot_id, "stopped")
    page.reload()
    expect(generate(page)).to_have_text("Generate 3")
    expect(page.locator("#sheet .s-status")).to_have_text("1 of 3 pictures")
    cells(page).nth(1).click()
    tray(page).get_by_role("button", name="Open").click()
    expect(page.locator("#txt2img_gallery .plane .now")).to_have_attribute("src", re.compile(r"/cells/1$"))
    page.get_by_role("button", name="Back to the sheet").click()
    tray(page).get_by_role("button", name="Use its parameters").click()
    expect(page.locator("#txt2img_steps input[type=number]")).to_have_value("5")
    expect(page.locator("#txt2img_prompt textarea")).to_have_value("a cell")
    expect(generate(page)).not_to_contain_text("3")


def test_an_earlier_sheet_is_opened_again_and_kept_as_a_file(page: Page, plots: PlotsStandIn) -> None:
    plot_id = begun(page, plots, CFG, WORDS)
    plots.cell(plot_id, [2, 2, 0])
    plots.run(plot_id, "stopped")
    plan(page, CFG)
    expect(cells(page)).to_have_count(3)
    face(page).get_by_role("button", name="Earlier sheets").click()
    page.get_by_role("option", name="1/9").click()
    expect(cells(page)).to_have_count(9)
    expect(face(page).get_by_role("region", name="Axis Y")).to_be_visible()  # its plan can be built on
    page.locator("#sheet").get_by_role("button", name="Download").click()
    with page.expect_download() as loaded:
        page.get_by_role("menuitem", name="Table (CSV)").click()
    assert loaded.value.url.endswith(f"plots/{plot_id}/export.csv")


def test_i_write_a_matrix_and_lines(page: Page, plots: PlotsStandIn) -> None:
    type_prompt(page, "a hill | mist | snow")
    face(page).get_by_role("button", name="Matrix", exact=True).click()
    expect(face(page).get_by_role("list", name="Parts of the prompt")).to_contain_text("mist")
    face(page).get_by_role("switch", name="Put variable parts at start of prompt").click()
    expect(generate(page)).to_have_text("Generate 4")
    face(page).get_by_role("button", name="Lines", exact=True).click()
    box = face(page).get_by_role("textbox", name="List of prompt inputs")
    box.fill('a fox\n--prompt "a hen" --steps 3\na hare --steps 3')
    expect(face(page)).to_contain_text("Line 3 a command begins with --prompt")
    expect(generate(page)).to_have_text("Generate 3")
    generate(page).click()
    eventually(page, lambda: plots.sent[-1]["kind"] == "lines")
    assert plots.sent[-1]["script"] == "prompts from file or textbox"
    assert plots.sent[-1]["values"]["prompt_txt"].startswith("a fox\n")


@pytest.mark.parametrize(("theme", "width"), [("dark", 1440), ("light", 390)])
def test_everything_has_a_name_and_is_in_reach(page: Page, plots: PlotsStandIn, theme: str, width: int) -> None:
    plot_id = begun(page, plots, CFG, WORDS, SAMPLERS)
    plots.cell(plot_id, [0, 0, 0])
    cells(page).first.click()
    expect(tray(page)).to_be_visible()
    page.evaluate("(theme) => window.webui.setTheme(theme)", theme)
    page.set_viewport_size({"width": width, "height": 900 if width > 400 else 844})
    page.wait_for_timeout(300)
    assert axe(page, "#sheet") == []
    if width < 400:
        page.get_by_role("button", name="Settings of the picture").click()
        expect(foot(page)).to_be_in_viewport()
    assert axe(page, "#experiment") == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if width < 400:
        page.keyboard.press("Escape")


def test_the_program_makes_a_plot_that_i_stop_continue_and_open_again(
    page_of_program: Page, engine: FakeEngine
) -> None:
    page = page_of_program
    engine.hold(after=2)
    type_prompt(page, "a hill")
    plan(page, CFG, {"id": "seed", "values": "5,6"})
    expect(generate(page)).to_have_text("Generate 6")
    generate(page).click()
    expect(cells(page).nth(1)).to_have_attribute("data-state", "there")
    page.locator("#sheet").get_by_role("button", name="Stop").click()
    go_on = page.locator("#sheet").get_by_role("button", name="Go on")
    expect(go_on).to_be_visible()
    engine.go_on()
    made = len(engine.asked)
    go_on.click()
    expect(page.locator("#sheet .s-status")).to_have_text("6 pictures")
    asked = [(request.cfg_scale, request.seed) for request in engine.asked]
    assert sorted({*asked}) == [(cfg, seed) for cfg in (4.0, 6.5, 9.0) for seed in (5, 6)]
    assert len(engine.asked) - made < 6  # what was there is not made again
    cells(page).first.click()
    cells(page).nth(5).click(modifiers=["Shift"])
    tray(page).get_by_role("button", name="Compare").click()
    shown = page.locator("#sheet .s-pane img")
    assert shown.evaluate_all("(all) => all.map((one) => one.decode().then(() => one.naturalWidth))") is not None
    page.keyboard.press("Escape")
    page.get_by_role("button", name="One more value of Seed").click()
    expect(page.locator("#sheet .s-status")).to_have_text("9 pictures")
    assert [request.seed for request in engine.asked[-3:]] == [7, 7, 7]
    page.locator("#sheet").get_by_role("button", name="Download").click()
    with page.expect_download() as loaded:
        page.get_by_role("menuitem", name="Table (CSV)").click()
    assert len([*csv.reader(loaded.value.path().open(newline=""))]) == 10
    face(page).get_by_role("radio", name="Form").click()
    expect(page.locator("#sheet .s-frame")).to_be_hidden()
    page.locator("#txt2img_queue .thumb").first.click()  # the sheet is the newest picture
    expect(cells(page)).to_have_count(9)

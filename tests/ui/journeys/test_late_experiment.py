"""An experiment where the server answers late, in a real browser: what was done meanwhile stays."""

from playwright.sync_api import Locator, Page, Route, expect

from tests.ui.bare import job_picture
from tests.ui.driving import eventually
from tests.ui.experiment_page import CFG, SAMPLERS, WORDS, begun, cells, face, generate, plan, tray
from tests.ui.experiment_page import page as page
from tests.ui.experiment_page import plots as plots
from tests.ui.plots_stand_in import PlotsStandIn


def values(page: Page) -> Locator:
    return face(page).get_by_role("textbox", name="Values of CFG Scale as text")


def asked_for(page: Page, plots: PlotsStandIn, plot_id: str, path: str = "") -> list[Route]:
    """Questions for a plot from now on, which are not answered yet."""
    held: list[Route] = []
    page.route(f"**/internal/page/plots/{plot_id}{path}", lambda route: held.append(route))
    return held


def comes(page: Page, route: Route) -> None:
    """Have an answer come, and the page take it."""
    route.fallback()
    page.evaluate("fetch(`${webui.base}internal/page/experiments/pace`).then((answer) => answer.json())")


def history(page: Page, plots: PlotsStandIn, *jobs: str) -> Locator:
    """Pictures in the history, one of each job, the first of them first."""
    address = "internal/page/cells/1"
    for job in reversed(jobs):
        plots.say("picture", job_picture(job, url=address, thumb=address))
    return page.locator("#txt2img_queue .thumb")


def test_a_plot_is_that_of_the_plan_that_was_sent(page: Page, plots: PlotsStandIn) -> None:
    plan(page, CFG)
    count = len(plots.sent)
    generate(page).click()
    eventually(page, lambda: len(plots.sent) == count + 1)
    values(page).fill("4-9 [4]")
    expect(generate(page)).to_have_text("Generate 4")
    plots.run(f"plot{count + 1}")
    expect(page.get_by_role("button", name="Last sheet")).to_be_visible()
    expect(cells(page)).to_have_count(4)
    values(page).fill("4-9 [3]")
    expect(page.locator("#sheet .s-status")).to_contain_text("Picture 1 of 3")


def test_a_value_is_added_to_the_plan_only_while_it_is_that_of_the_plot(page: Page, plots: PlotsStandIn) -> None:
    other = begun(page, plots, WORDS)
    plots.run(other, "stopped")
    plot_id = begun(page, plots, CFG)
    plots.run(plot_id, "stopped")
    held = asked_for(page, plots, plot_id, "/extend")
    more = page.get_by_role("button", name="One more value of")
    more.click()
    eventually(page, lambda: len(held) == 1)
    values(page).fill("4-9 [5]")
    comes(page, held[0])
    eventually(page, lambda: plots.asked[-1] == (f"plots/{plot_id}", None))
    expect(values(page)).to_have_value("4-9 [5]")
    expect(cells(page)).to_have_count(5)

    values(page).fill("4-9 [3]")
    more.click()
    eventually(page, lambda: len(held) == 2)
    history(page, plots, f"{other}-sheets-0a").click()
    expect(face(page).get_by_role("region", name="Axis X").get_by_role("button", name="Prompt S/R")).to_be_visible()
    comes(page, held[1])
    plots.run(plot_id)
    expect(generate(page)).to_have_text("Generate 3")
    expect(cells(page)).to_have_count(3)
    expect(page.get_by_role("button", name="CFG Scale")).to_have_count(0)


def test_a_sheet_that_comes_late_is_not_laid_over_what_i_did_since(page: Page, plots: PlotsStandIn) -> None:
    first = begun(page, plots, WORDS)
    plots.run(first, "stopped")
    second = begun(page, plots, SAMPLERS)
    plots.run(second, "stopped")
    plan(page, CFG)
    expect(cells(page)).to_have_count(3)
    thumbs = history(page, plots, "a picture", f"{first}-sheets-0a", f"{second}-sheets-0b")
    held = asked_for(page, plots, first)

    thumbs.nth(1).click()
    eventually(page, lambda: len(held) == 1)
    thumbs.nth(0).click()
    expect(page.get_by_role("button", name="Back to the sheet")).to_be_visible()
    comes(page, held[0])
    expect(page.get_by_role("button", name="Back to the sheet")).to_be_visible()
    expect(values(page)).to_have_value("4-9 [3]")

    thumbs.nth(1).click()
    eventually(page, lambda: len(held) == 2)
    page.get_by_role("tab", name="Settings").click()
    comes(page, held[1])
    expect(page.get_by_role("tab", name="Settings")).to_have_attribute("aria-selected", "true")
    page.get_by_role("tab", name="txt2img").click()
    expect(values(page)).to_have_value("4-9 [3]")

    thumbs.nth(1).click()
    eventually(page, lambda: len(held) == 3)
    values(page).fill("4-9 [4]")
    comes(page, held[2])
    expect(page.get_by_role("button", name="Prompt S/R mist, not made yet")).to_be_visible()
    expect(values(page)).to_have_value("4-9 [4]")

    page.get_by_role("button", name="Close the sheet").click()
    later = asked_for(page, plots, second)
    thumbs.nth(2).click()
    thumbs.nth(1).click()
    eventually(page, lambda: len(later) == 1 and len(held) == 4)
    comes(page, later[0])
    expect(values(page)).to_have_value("4-9 [4]")
    comes(page, held[3])
    expect(page.get_by_role("button", name="Prompt S/R mist, not made yet")).to_be_visible()
    expect(face(page).get_by_role("region", name="Axis X").get_by_role("button", name="Prompt S/R")).to_be_visible()
    expect(thumbs.nth(0)).to_have_attribute("aria-current", "")  # no sheet's picture has gone to the stage


def test_the_parameters_of_a_cell_that_come_late_are_those_of_the_cell(page: Page, plots: PlotsStandIn) -> None:
    plot_id = begun(page, plots, CFG)
    held = asked_for(page, plots, plot_id)
    plots.cell(plot_id, [0, 0, 0], tells_text=False)
    cells(page).first.click()
    tray(page).get_by_role("button", name="Use its parameters").click()
    eventually(page, lambda: len(held) == 2)
    face(page).get_by_role("radio", name="Form").click()
    for route in held:
        comes(page, route)
    expect(page.locator("#txt2img_prompt textarea")).to_have_value("a cell")

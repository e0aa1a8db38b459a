"""The page in a real browser: type, generate, look, stop, come back. Needs a Chromium on the machine."""

from pathlib import Path

from PIL import Image
from playwright.sync_api import APIResponse, Browser, Page, Route, expect

from tests.doors import text_of
from tests.ui.driving import WAIT, eventually, generate, picture, type_prompt
from tests.ui.fakes import FakeEngine
from webui.domain.errors import UnusableFileError
from webui.domain.request import GenerationRequest


def click_until_submitted(page: Page, engine: FakeEngine, count: int) -> None:
    """Generate. For a moment after an error is shown its event still runs, and a click does nothing."""
    for _ in range(WAIT // 1000):
        page.locator("#txt2img_generate").click()
        for _ in range(10):
            if len(engine.asked) == count:
                return
            page.wait_for_timeout(100)
    raise AssertionError(f"{len(engine.asked)} jobs were submitted, {count} expected")


def generation_text(page: Page) -> str:
    return page.locator("#txt2img_infotext textarea").input_value()


def test_a_prompt_becomes_a_picture_with_its_text(page: Page, engine: FakeEngine, tmp_path: Path) -> None:
    generate(page, "a cat on a mat")
    address = picture(page)
    assert generation_text(page).startswith("a cat on a mat\n")
    fetched = tmp_path / "fetched.png"
    fetched.write_bytes(page.request.get(address).body())
    assert Image.open(fetched).info["parameters"] == generation_text(page)
    # nothing but what is seen: the other fields are as the starting values have them
    assert engine.asked == [GenerationRequest(prompt="a cat on a mat", checkpoint="mini.safetensors")]
    expect(page.locator("#txt2img_status")).to_contain_text("<b>one word</b>")  # shown as text


def test_the_text_follows_the_selected_picture(page: Page) -> None:
    page.locator("#txt2img_batch_size input[type=number]").fill("2")
    page.locator("#txt2img_seed input").fill("7")
    generate(page, "two cats")
    page.locator("#txt2img_prompt textarea").focus()
    picture(page)
    assert "Seed: 7," in generation_text(page)
    page.locator("#txt2img_gallery .thumbnails button").nth(1).click()
    expect(page.locator("#txt2img_infotext textarea")).to_have_value(
        text_of(GenerationRequest(prompt="two cats", seed=8))
    )
    page.locator("#txt2img_reuse_seed").click()
    expect(page.locator("#txt2img_seed input")).to_have_value("8")
    page.locator("#txt2img_random_seed").click()
    expect(page.locator("#txt2img_seed input")).to_have_value("-1")


def test_pictures_that_arrive_leave_the_typing_user_alone(page: Page, engine: FakeEngine) -> None:
    engine.step_seconds = 0.1  # they come when all is as it is below
    page.locator("#txt2img_n_iter input[type=number]").fill("3")
    page.set_viewport_size({"width": 1200, "height": 600})
    generate(page, "three cats")
    page.locator("#txt2img_prompt textarea").focus()
    page.evaluate("scrollTo(0, 0)")  # the click may have scrolled to the button
    assert page.locator("#txt2img_gallery .thumbnails button").count() == 0
    picture(page)
    expect(page.locator("#txt2img_gallery .thumbnails button")).to_have_count(3)
    page.wait_for_timeout(500)  # milliseconds, for the gallery to have done what it does
    page.keyboard.type("!")
    expect(page.locator("#txt2img_prompt textarea")).to_have_value("three cats!")
    assert page.evaluate("scrollY") == 0


def test_progress_and_preview_are_shown_and_interrupt_stops(page: Page, engine: FakeEngine) -> None:
    engine.step_seconds = 0.3
    page.locator("#txt2img_steps input[type=number]").fill("150")
    generate(page, "a slow cat")
    expect(page.locator("#txt2img_progress .bar")).to_contain_text("/150")
    expect(page.locator("#txt2img_preview img")).to_be_visible()
    late: list[tuple[Route, APIResponse]] = []
    page.route("**/gradio_api/run/predict*", lambda route: late.append((route, route.fetch())))
    page.locator("#txt2img_interrupt").click()
    expect(page.locator("#txt2img_status .error")).to_contain_text("Stopped before the first picture")
    eventually(page, lambda: len(late) == 1)
    [(route, answer)] = late
    route.fulfill(response=answer)  # after the job's last word, which has to stay
    page.unroute("**/gradio_api/run/predict*")
    page.wait_for_timeout(500)
    expect(page.locator("#txt2img_status .error")).to_contain_text("Stopped before the first picture")
    expect(page.locator("#txt2img_progress .bar")).to_have_count(0)
    engine.step_seconds = 0.0
    generate(page, "a quick cat")
    picture(page)


def test_an_idle_page_stops_no_job_of_another(page: Page, browser: Browser, address: str, engine: FakeEngine) -> None:
    engine.step_seconds = 1  # 150 of them outlast whatever a busy machine makes of the rest
    page.locator("#txt2img_steps input[type=number]").fill("150")
    generate(page, "a slow cat")
    expect(page.locator("#txt2img_progress .bar")).to_contain_text("/150")
    [job] = engine.jobs.values()
    assert job.owner.startswith("page ")
    other = browser.new_context().new_page()
    other.goto(address)
    for button in ("interrupt", "skip"):
        other.locator(f"#txt2img_{button}").click()
        expect(other.locator("#txt2img_status .notice")).to_contain_text("Nothing of this page is running")
    assert (job.state, job.stopping, job.skip_asked) == ("running", False, None)
    other.context.close()
    page.locator("#txt2img_interrupt").click()
    expect(page.locator("#txt2img_status .error")).to_contain_text("Stopped before the first picture")


def test_skip_goes_on_with_the_next_batch(page: Page, engine: FakeEngine) -> None:
    engine.step_seconds = 0.2
    page.locator("#txt2img_n_iter input[type=number]").fill("2")
    generate(page, "cats")
    expect(page.locator("#txt2img_progress .bar")).to_contain_text("batch 1/2")
    engine.step_seconds = 0.05
    page.locator("#txt2img_skip").click()
    expect(page.locator("#txt2img_status .done")).to_contain_text("1 picture")


def test_a_reloaded_page_sees_its_job_end(page: Page, engine: FakeEngine) -> None:
    engine.step_seconds = 2
    generate(page, "a patient cat")
    expect(page.locator("#txt2img_progress .bar")).to_be_visible()
    page.reload()
    expect(page.locator("#txt2img_progress .bar")).to_be_visible()
    engine.step_seconds = 0
    picture(page)
    expect(page.locator("#txt2img_infotext textarea")).to_have_value(
        text_of(GenerationRequest(prompt="a patient cat", seed=engine.last.work.seed))
    )


def test_an_error_is_one_sentence_and_the_page_goes_on(page: Page, engine: FakeEngine) -> None:
    page.locator("#txt2img_seed input").fill("-5")
    generate(page, "a cat")
    expect(page.locator("#txt2img_status .error")).to_contain_text("seed: ")
    page.locator("#txt2img_random_seed").click()
    engine.failure = UnusableFileError("mini.safetensors is torn")
    click_until_submitted(page, engine, 1)
    expect(page.locator("#txt2img_status .error")).to_contain_text("mini.safetensors is torn")
    engine.failure = None
    click_until_submitted(page, engine, 2)
    picture(page)


def test_a_late_answer_of_loading_wipes_nothing(browser: Browser, address: str) -> None:
    opened, held = browser.new_page(), list[Route]()
    opened.set_default_timeout(WAIT)
    expect.set_options(timeout=WAIT)
    opened.route("**/gradio_api/run/predict*", lambda route: held.append(route))
    opened.goto(address)
    opened.locator("#txt2img_seed input").fill("-5")
    generate(opened, "a cat")
    error = opened.locator("#txt2img_status .error")
    expect(error).to_contain_text("seed: ")
    assert held
    for route in held:
        route.continue_()
    opened.wait_for_timeout(1000)
    expect(error).to_contain_text("seed: ")
    expect(opened.locator("#txt2img_prompt textarea")).to_have_value("a cat")
    opened.close()


def test_pasted_parameters_arrive_exactly(page: Page, engine: FakeEngine) -> None:
    type_prompt(
        page, "a dog\nSteps: 31, Sampler: Euler a, CFG scale: 7.123, Seed: 4294967295, Size: 4096x64, Model: other"
    )
    page.locator("#paste").click()
    expect(page.locator("#txt2img_prompt textarea")).to_have_value("a dog")
    page.locator("#txt2img_generate").click()
    picture(page)
    asked = engine.asked[0]
    assert (asked.steps, asked.cfg_scale, asked.seed, asked.width, asked.height) == (31, 7.123, 2**32 - 1, 4096, 64)
    assert asked.checkpoint == "sdxl/other.safetensors"


def test_the_checkpoint_that_is_chosen_is_remembered(page: Page, engine: FakeEngine) -> None:
    page.locator("#txt2img_checkpoint input").click()
    page.get_by_role("option", name="sdxl/other").click()
    page.locator("#refresh_checkpoints").click()
    expect(page.locator("#txt2img_status")).to_contain_text("torn.safetensors cannot be used")
    eventually(page, lambda: engine.starting.get("checkpoint") == "sdxl/other.safetensors")
    generate(page, "a cat")
    picture(page)
    assert engine.asked[0].checkpoint == "sdxl/other.safetensors"


def test_keys_generate_and_interrupt_and_the_size_is_swapped(page: Page, engine: FakeEngine) -> None:
    engine.step_seconds = 0.3
    page.locator("#txt2img_width input[type=number]").fill("640")
    page.locator("#txt2img_res_switch_btn").click()
    expect(page.locator("#txt2img_height input[type=number]")).to_have_value("640")
    type_prompt(page, "a cat")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#txt2img_progress .bar")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#txt2img_status .error")).to_contain_text("Stopped")
    assert (engine.asked[0].width, engine.asked[0].height) == (512, 640)


def test_cards_are_searched_and_put_into_the_prompt(page: Page) -> None:
    type_prompt(page, "a cat")
    page.locator("#txt2img_extra_networks button.label-wrap").click()
    drawn = page.locator("#txt2img_lora_cards .card")
    expect(drawn).to_have_count(2)
    ink, oil = drawn.all()
    expect(oil.locator(".name")).to_have_text("<b>oil")  # shown as text
    prompt = page.locator("#txt2img_prompt textarea")
    ink.click()
    expect(prompt).to_have_value("a cat <lora:ink:1>")
    ink.click()
    expect(prompt).to_have_value("a cat")
    page.locator(".cards-search input, .cards-search textarea").fill("OIL sub")
    expect(ink).to_be_hidden()
    expect(oil).to_be_visible()
    page.locator(".cards-search input, .cards-search textarea").fill("")
    page.locator("#txt2img_neg_prompt textarea").click()
    page.get_by_role("tab", name="Textual Inversion").click()
    page.locator("#txt2img_embedding_cards .card").click()
    expect(page.locator("#txt2img_neg_prompt textarea")).to_have_value("face")
    page.get_by_role("tab", name="Checkpoints").click()
    page.locator("#txt2img_checkpoint_cards .card").last.click()
    expect(page.locator("#txt2img_checkpoint input")).to_have_value("sdxl/other.safetensors [0123456789]")

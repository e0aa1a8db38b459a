"""Gradio's frontend does not do in vain what it need not do, and otherwise does the same."""

import pytest
from playwright.sync_api import BrowserContext

from tests.ui.visiting import visit
from webui.ui.gradio_files import GradioFiles
from webui.ui.gradio_savings import SAVINGS, without_work_in_vain

TARGETS = [[[1, "change"], [2, "change"], [1, "input"]], [[2, "click"]], [[1, None], [1, "late"]], [[1, "change"]]]
FOUND = """([source, targets]) => {
  const Tree = new Function(`return class {
    #n; root; constructor(dependencies) { this.#n = dependencies; }
    traverse(node, steps) { return steps.reduce((now, step) => step(now), node); }
    ${source}
  }`)();
  const tree = new Tree(targets.map((one) => ({ targets: one })));
  return [1, 2, 3].map((id) => {
    tree.postprocess({ id, props: { shared_props: {} } });
    return tree.root.props.shared_props.attached_events;
  });
}"""


def installed(begin: str) -> tuple[str, bytes]:
    """Name and text of the script with passages whose name begins so."""
    files = GradioFiles.read().files.items()
    [found] = [(name, path.read_bytes()) for name, path in files if name.startswith(begin) and name.endswith(".js")]
    return found


@pytest.mark.parametrize("begin", SAVINGS)
def test_the_installed_gradio_has_every_passage_once(begin: str) -> None:
    name, whole = installed(begin)
    sent = without_work_in_vain(name, whole)
    for passage, instead in SAVINGS[begin].items():
        assert whole.count(passage.encode()) == 1, passage
        assert sent.count(instead.encode()) == 1, instead


def test_a_file_without_all_of_the_passages_is_sent_as_it_is() -> None:
    first, *_ = SAVINGS["core-"]
    assert without_work_in_vain("core-x.js", first.encode()) == first.encode()
    assert without_work_in_vain("index-x.js", first.encode()) == first.encode()


def test_a_component_has_the_events_that_gradio_finds_for_it(shared_context: BrowserContext) -> None:
    name, whole = installed("core-")
    found = []
    page = visit(shared_context)
    for script in (whole, without_work_in_vain(name, whole)):
        text = script.decode("utf-8")
        begin, end = text.index("postprocess(e){"), text.index("traverse(e,t){")
        own = text[begin:end].replace("e=>je(e,this.#r.api_url),e=>Me(e,this.components_to_register),", "")
        own = own.replace("e=>Pe(e,this.initial_tabs),", "").replace(
            ",e=>Ne(e,this.components_to_register,this.#d)", ""
        )
        found.append(page.evaluate(FOUND, [own, TARGETS]))
    assert found[0] == found[1] == [["change", "change"], ["change", "click"], []]

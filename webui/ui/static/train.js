// The tab Train: a data set at the left, the settings of the training in the middle, its run at the right. Where there is
// not room for three, one of them is shown.

import { el, segments, t } from "./kit.js";
import { ask, start } from "./extension_actions.js";
import { trainForm } from "./train_form.js";
import { runView } from "./train_run.js";
import { runsList } from "./train_runs.js";
import { setPane } from "./train_set.js";

/** Draw the tab. @param {{element: HTMLElement, props: *, upload: *}} context */
export function mount({ element, props, upload }) {
  const { training, describing } = props;
  if (!training) {
    element.replaceChildren(el("p", { class: "tr-none" }, t("No extension that trains is switched on. Switch one on in the tab Extensions.")));
    return;
  }
  const face = (/** @type {string} */ name) => {
    element.dataset.face = name;
    faces.value = name;
  };
  let isStarting = false; // a training was sent, and the server has not answered yet
  const isBusy = () => isStarting || run.isRunning();
  const setStarting = (/** @type {boolean} */ is) => {
    isStarting = is;
    form.setStarting(is);
    run.setStarting(is);
    runs.redraw();
  };
  const begin = async (/** @type {Record<string, *>} */ options) => {
    if (isStarting) return;
    setStarting(true);
    try {
      const { id } = await start(training.extension, training.action, options);
      run.forget();
      face("run");
      run.follow(id);
    } finally {
      setStarting(false);
    }
  };
  const resume = (/** @type {string} */ name) => begin({ resume: name }).catch((error) => form.failed(error.message));
  const hasRuns = "runs" in training.asks;
  const faces = segments(t("Part of the training"), [{ value: "set", label: t("Pictures") }, { value: "form", label: t("Settings") }, { value: "run", label: t("Run") }], "set", (name) => face(name));
  /** @type {ReturnType<typeof setPane>|null} */
  let set = null; // drawn below, as it shows what the form says
  const form = trainForm({ training, upload, start: begin, changed: () => set?.settingsChanged() });
  const run = runView({
    training, resume, prompts: form.prompts,
    began: () => {
      form.setBusy(true);
      runs.redraw();
    },
    ended: () => {
      form.setBusy(run.isRunning());
      if (hasRuns) runs.refresh();
    },
  });
  const remove = async (/** @type {string} */ name) => {
    await ask(training.extension, "remove_run", { run: name });
    run.gone(name);
  };
  const runs = runsList({
    list: async () => listOf((await ask(training.extension, "runs", {})).data), resume, isBusy, shown: run.shown,
    open: "run" in training.asks ? run.open : null,
    remove: "remove_run" in training.asks ? remove : null,
  });
  set = setPane({ training, describing, told: form.told, changed: form.setDataSet, suggest: form.suggest });
  element.replaceChildren(el("div", { class: "tr-faces" }, faces), set.node, form.node, el("div", { class: "tr-right", tabindex: "0", role: "region", "aria-label": t("Run") }, run.node, runs.node));
  face("set");
  set.start();
  run.find().then(async () => {
    form.setBusy(run.isRunning());
    const [latest] = hasRuns ? await runs.refresh() : [];
    if (latest && !isBusy() && !run.shown()) run.open(latest.run).then(runs.refresh);
  });
}

/** The runs, whether they are told as a list or as a part of an object. */
function listOf(/** @type {*} */ data) {
  return Array.isArray(data) ? data : data?.runs ?? [];
}

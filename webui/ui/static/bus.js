/**
 * Messages between the parts of the page.
 *
 * | Message | Detail | Who hears it |
 * | --- | --- | --- |
 * | `picture:show` | `{picture}` | the stage shows it; the sheet lets it through |
 * | `picture:send` | `{picture, to, what?, pose?}`, `to` is img2img, inpaint, sketch, upscale, controlnet or pnginfo; the JSON of a drawn pose | the receiver loads it and opens its tab |
 * | `picture:describe` | `{address}` of a picture | a dialog has it described in words |
 * | `picture:shown` | `{picture or null}`: the stage shows another one | history, form |
 * | `picture:compare` | `{picture}` | the stage compares its own with it; the sheet lets it through |
 * | `form:fill` | `{text, only?, beside?}`: generation parameters; field paths; values that no text tells, by path | the form |
 * | `form:changed` | `{}`: a control of the form holds something else | the curve of the schedule |
 * | `form:enlarge` | `{picture}` | the form: hires fix on this picture |
 * | `prompt:changed` | `{prompt, negative}` | whoever shows what the prompt uses |
 * | `prompt:insert` | `{text, which?}` | the prompt |
 * | `style:choose` | `{name}` | the list of styles: it is sent with the prompts from now on |
 * | `prompt:remove` | `{text}` | the prompt |
 * | `tab:open` | `{tab}` | the frame opens it |
 * | `tab:opened` | `{tab}` | whoever works only while in view |
 * | `notice` | `{kind: "notice" or "error" or "", text, act?: {label, run}}` | the stage, or a toast where it is not in view |
 * | `jobs:changed` | `{jobs, paused}` | queue, label of Generate |
 * | `job:progress` | one `progress` of the event stream | the stage |
 * | `job:picture` | `{picture}` | stage and history |
 * | `extension:fill` | `{extension, options}` | the form of the extension, which is switched on |
 * | `action:with` | `{form, name}`: a file, for the form of an action with that element id | the form |
 * | `files:changed` | `{}`: model files were made or looked for | lists of files |
 * | `checkpoint:changed` | `{}`: another checkpoint is chosen above the page | forms that depend on it |
 * | `checkpoint:use` | `{name}` | the checkpoint above the page |
 * | `upscale:answer` | `{job}`, `{batch}` or `{error}` | the tab Upscale |
 * | `job:follow` | `{}`: show the running job again | the stage |
 * | `queue:open` | `{from?, id?}`: the element that gets the focus back; the row to choose | the opened queue, which closes when it is open |
 * | `queue:opened` | `{isOpen}` | the strip |
 * | `experiment:changed` | `{isOpen, plan, sent, axes, aspect}`: the plan in the left pane, as Generate sends it, and its values | the sheet |
 * | `experiment:add` | `{at, value}`: one more value of an axis | the plan |
 * | `experiment:fill` | `{plan}`, as it was sent | the plan in the left pane |
 * | `experiment:turn` | `{isOpen}` | the left pane shows form or experiment |
 * | `plot:open` | `{id, picture?}`: what is shown where the plot is gone | the sheet shows a plot |
 * | `setting:changed` | `{setting, row}`: as the server has it now; the row that changed it | the tab Settings, quick settings |
 * | `places:shown` | `{places}`: named rectangles, shares of the sides; none: they are not shown any more | stage and canvas draw them over the picture |
 * | `learn:show` | `{view}`, a name in learn_views.js | the tab Learn shows it |
 * | `library:show` | `{picture}` | the library finds it |
 *
 * @typedef {{id: string, job: string, index: number, url: string, thumb: string, width: number, height: number,
 *   seed: number|string, text: string, kind: string, created: number, grid: boolean, file?: File}} Picture
 *   A picture of a job (id "job/index") or of the library (id "library:n"); url and thumb are relative to the page.
 *   One that the user has just dropped or pasted has its file instead of an id.
 */

const listeners = new Map();

/** Tell everybody who listens. One listener that fails stops no other. */
export function say(name, detail = {}) {
  for (const listener of [...(listeners.get(name) ?? [])]) {
    try {
      listener(detail);
    } catch (error) {
      console.error(`a listener of ${name} failed:`, error);
    }
  }
}

/** Listen to a message. @returns {() => void} what ends it */
export function hear(name, listener) {
  if (!listeners.has(name)) listeners.set(name, new Set());
  listeners.get(name).add(listener);
  return () => listeners.get(name).delete(listener);
}

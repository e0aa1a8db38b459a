// The size that the form asks for.

const number = (/** @type {string} */ id) => Number(/** @type {HTMLInputElement|null} */ (document.querySelector(`#${id} input`))?.value) || 512;

/** Width and height of the next picture, in pixels. @returns {{width: number, height: number}} */
export function pictureSize() {
  return { width: number("txt2img_width"), height: number("txt2img_height") };
}

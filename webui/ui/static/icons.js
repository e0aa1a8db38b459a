// The small drawings of the page, as paths.

const SVG = "http://www.w3.org/2000/svg";
// Each is drawn with strokes in a field of 24 x 24.
const ICONS = Object.freeze({
  brand: "M12 3.2l7.6 4.4v8.8L12 20.8l-7.6-4.4V7.6zM12 8.2l3.3 1.9v3.8L12 15.8l-3.3-1.9v-3.8z",
  brush: "M19.5 4.5c-3 .4-8 4.6-9.8 8.3l1.5 1.5c3.7-1.8 7.9-6.8 8.3-9.8M9 13.8c-2.2 0-3.3 1.4-3.3 3 0 1.3-.7 2-1.9 2.4 3.6 1.3 7.4.3 7.2-3.3",
  check: "M5 12.5l4.5 4.5L19 7.5",
  chevron: "M7 10l5 5 5-5",
  clear: "M4.5 7h15M9.5 7V4.5h5V7M6.5 7l1 12.5h9l1-12.5M10.5 10.5v5.5M13.5 10.5v5.5",
  close: "M6.5 6.5l11 11M17.5 6.5l-11 11",
  compare: "M12 4v16M9 8H4.5v8H9M15 8h4.5v8H15",
  copy: "M9 9h10.5v10.5H9zM15 9V4.5H4.5V15H9",
  curve: "M5 4.500v15h14.500M8 7c1 6.500 4.500 9.500 11 9.500",
  dice: "M5 5h14v14H5zM9 9h.01M15 9h.01M12 12h.01M9 15h.01M15 15h.01",
  download: "M12 4.5v10.5M7.5 11l4.5 4.5L16.5 11M5 19.5h14",
  edit: "M5 19h3.500L19 8.500 15.500 5 5 15.500zM13 7.500l3.500 3.500",
  eraser: "M8.5 19.5h11M13.5 5.5l5.5 5.5-7.5 7.5H8L4.5 15zM9 10l5.5 5.5",
  fill: "M5 5h14v14H5zM5 14l9-9M10 19l9-9M5 9l4-4M15 19l4-4",
  fit: "M4.5 9V4.5H9M15 4.5h4.5V9M19.5 15v4.5H15M9 19.5H4.5V15",
  four: "M4.5 4.500h6v6h-6zM13.500 4.500h6v6h-6zM4.500 13.500h6v6h-6zM13.500 13.500h6v6h-6z",
  folder: "M4 6.5h6l2 2.5h8v9.5H4z",
  frame: "M8 8h8v8H8zM12 5.5V2.5M12 21.5v-3M5.5 12h-3M21.5 12h-3",
  full: "M14 10l5.5-5.5M15 4.5h4.5V9M10 14l-5.5 5.5M9 19.5H4.5V15",
  grip: "M9 7h.01M15 7h.01M9 12h.01M15 12h.01M9 17h.01M15 17h.01",
  heart: "M12 19.5S4.5 15 4.5 9.7A4 4 0 0 1 12 7.7a4 4 0 0 1 7.5 2c0 5.3-7.5 9.8-7.5 9.8z",
  image: "M4.5 5h15v14h-15zM4.5 16l4.5-4.5 5 5 2-2 3.5 3.5M15 9.5h.01",
  info: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16M12 11.5V16M12 8.5h.01",
  invert: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16M12 4v16M12 8h5.5M12 12h8M12 16h5.5",
  keys: "M3.5 7h17v10h-17zM7 10.5h.01M10.3 10.5h.01M13.7 10.5h.01M17 10.5h.01M8 14h8",
  lasso: "M12 4.5c4.2 0 7.5 2.2 7.5 5s-3.3 5-7.5 5-7.5-2.2-7.5-5 3.3-5 7.5-5M8 14c-1.5 1.3-.2 2.6 1 2.8 1.7.3 1.6 2.7-.7 2.7",
  layers: "M12 4l8.5 4.5L12 13 3.5 8.5zM3.5 12.5L12 17l8.5-4.5M3.5 16L12 20.5 20.5 16",
  lock: "M6 10.5h12v9H6zM8.5 10.5V8a3.5 3.5 0 0 1 7 0v2.5",
  mask: "M4.5 5h15v14h-15zM8 15.5c.5-3.5 2-5 4-5s3.5 1.5 4 5",
  minus: "M5.5 12h13",
  more: "M6 12h.01M12 12h.01M18 12h.01",
  move: "M12 4v16M4 12h16M9.5 6.5L12 4l2.5 2.5M9.5 17.5L12 20l2.5-2.5M6.5 9.5L4 12l2.5 2.5M17.5 9.5L20 12l-2.5 2.5",
  network: "M5.500 4.500v8.500a6.500 6.500 0 0 0 13 0V4.500M5.500 9h13",
  next: "M9.5 6l6 6-6 6",
  noise: "M4.500 4.500h15v15h-15zM8 8.500h.01M12.500 8h.01M16 9.500h.01M9.500 12.500h.01M14.500 13h.01M8 16h.01M12 16.500h.01M16.500 16h.01",
  palette: "M12 4a8 8 0 1 0 0 16c1.6 0 2-1.1 1.5-2.2-.7-1.5.2-2.8 1.8-2.8h2c1.7 0 2.7-1.2 2.7-3C20 7.5 16.4 4 12 4M7.7 12h.01M10 8.2h.01M14.5 8.2h.01",
  paste: "M8.5 4.5h7v3h-7zM8.5 6H5.5v13.5h13V6h-3M12 10.5V16M9.5 13.5L12 16l2.5-2.5",
  pause: "M8.5 6v12M15.5 6v12",
  picker: "M13.5 7.5l3 3M15 9l-8.5 8.5L4 20l2.5-2.5M15 9l-1.5-1.5 1.7-1.7a2.3 2.3 0 0 1 3.3 3.3L16.5 10.5M6.5 17.5l8.5-8.5",
  play: "M8 5.5v13l10.5-6.5z",
  plus: "M5.5 12h13M12 5.5v13",
  previous: "M14.5 6l-6 6 6 6",
  rectangle: "M4.5 6.5h15v11h-15z",
  redo: "M15.5 6.5L20 11l-4.5 4.5M20 11h-9.5a6 6 0 0 0-6 6v1",
  reload: "M19.5 12a7.5 7.5 0 1 1-2.2-5.3L19.5 9M19.5 4.5V9H15",
  repeat: "M4.5 11V9.5a3 3 0 0 1 3-3h11M16 4l2.5 2.5L16 9M19.5 13v1.5a3 3 0 0 1-3 3h-11M8 15l-2.5 2.5L8 20",
  search: "M10.5 4.5a6 6 0 1 0 0 12 6 6 0 0 0 0-12M15 15l4.5 4.5",
  sliders: "M4.5 8h8M16.5 8h3M4.5 16h3M11.5 16h8M14.5 6v4M9.5 14v4",
  star: "M12 4.5l2.3 4.9 5.2.7-3.8 3.7.9 5.3-4.6-2.6-4.6 2.6.9-5.3-3.8-3.7 5.2-.7z",
  stop: "M7 7h10v10H7z",
  sun: "M12 8.2a3.8 3.8 0 1 0 0 7.6 3.8 3.8 0 0 0 0-7.6M12 3v1.7M12 19.3V21M3 12h1.7M19.3 12H21M5.6 5.6l1.2 1.2M17.2 17.2l1.2 1.2M5.6 18.4l1.2-1.2M17.2 6.8l1.2-1.2",
  swap: "M4.5 9h14M15 5.5L18.5 9 15 12.5M19.5 15.5h-14M9 12l-3.5 3.5L9 19",
  tag: "M4.5 4.5h7l8 8-7 7-8-8zM8.5 8.5h.01",
  text: "M4.500 7h15M4.500 12h9.500M4.500 17h12",
  undo: "M8.5 6.5L4 11l4.5 4.5M4 11h9.5a6 6 0 0 1 6 6v1",
  up: "M12 18.5V6M7 11l5-5 5 5",
});

/** A small drawing; it has no name of its own. */
export function icon(name) {
  if (!Object.hasOwn(ICONS, name)) throw new Error(`there is no icon ${name}; there are ${Object.keys(ICONS).join(", ")}`);
  const drawing = document.createElementNS(SVG, "svg");
  for (const [key, value] of Object.entries({ viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" })) drawing.setAttribute(key, value);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  drawing.append(path);
  return drawing;
}

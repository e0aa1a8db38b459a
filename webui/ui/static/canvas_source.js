/**
 * Where the picture of a document comes from: a file of the user, or a picture that the server has. Neither is encoded
 * again, so what the server works on is the file itself.
 */

import { Tiles } from "./canvas_tiles.js";

const MAX_PIXELS = 40_000_000; // of one picture; the server reads no more
const MAX_FILE = 64 * 1024 * 1024; // bytes of one upload

/**
 * @typedef {object} Source
 * @property {string} url for the browser
 * @property {string} name of the file, for people
 * @property {number} width in pixels, after the picture was turned as its EXIF says
 * @property {number} height
 * @property {Blob | null} file what the user opened; null for a picture that the server has
 * @property {{id: string, url: string} | null} picture what the server has; null for a file
 */

/** A sentence for the user. */
export class Unreadable extends Error {}

/**
 * Decode a file far enough to know its size.
 * @param {Blob & {name?: string}} file
 * @returns {Promise<Source>}
 */
export async function ofFile(file) {
  if (file.size > MAX_FILE) throw new Unreadable("This file has more than 64 MB.");
  const url = URL.createObjectURL(file);
  try {
    return Object.freeze({ url, name: file.name ?? "picture", ...(await sizeOf(url)), file, picture: null });
  } catch (error) {
    URL.revokeObjectURL(url);
    throw error;
  }
}

/**
 * @param {{id: string, url: string}} picture as the strip and the library know it
 * @param {string} base the address of the page
 * @returns {Promise<Source>}
 */
export async function ofPicture(picture, base) {
  const url = base + picture.url;
  return Object.freeze({ url, name: picture.id, ...(await sizeOf(url)), file: null, picture });
}

async function sizeOf(url) {
  const image = new Image();
  image.src = url;
  try {
    await image.decode();
  } catch {
    throw new Unreadable("This browser cannot show that file as a picture. Save it as PNG, JPEG or WebP.");
  }
  const { naturalWidth: width, naturalHeight: height } = image;
  if (width * height > MAX_PIXELS) {
    throw new Unreadable("This picture has more than 40 megapixels. Make it smaller first.");
  }
  return { width, height };
}

/** The colour of a picture at a pixel, as red, green, blue. */
export async function colourAt(image, x, y) {
  const spot = new OffscreenCanvas(1, 1);
  const context = spot.getContext("2d");
  context.drawImage(image, -Math.floor(x), -Math.floor(y));
  return [...context.getImageData(0, 0, 1, 1).data.subarray(0, 3)];
}

/**
 * A mask from a picture: white is repainted. Of one with transparent parts its opacity is the mask, as on the server.
 * @param {Blob} file
 * @param {{width: number, height: number}} size the mask is brought to
 * @returns {Promise<Tiles>}
 */
export async function maskOf(file, { width, height }) {
  const keep = { colorSpaceConversion: "none", imageOrientation: "from-image", premultiplyAlpha: "none" };
  const bitmap = await createImageBitmap(file, keep).catch(() => {
    throw new Unreadable("This browser cannot show that file as a picture. Save the mask as PNG.");
  });
  const pixels = scaled(bitmap, width, height);
  bitmap.close();
  const mask = new Uint8Array(width * height);
  let isClear = false;
  for (let at = 0; at < mask.length; at++) isClear ||= pixels[at * 4 + 3] < 255;
  for (let at = 0; at < mask.length; at++) {
    const [red, green, blue] = [pixels[at * 4], pixels[at * 4 + 1], pixels[at * 4 + 2]];
    // ITU-R BT.601, rounded as Pillow rounds it
    mask[at] = isClear ? pixels[at * 4 + 3] : (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16;
  }
  return Tiles.from(width, height, 1, mask);
}

function scaled(bitmap, width, height) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, width, height);
  return context.getImageData(0, 0, width, height).data;
}

/** A layer as it was, brought to another size by taking the nearest pixel. */
export function resized(layer, { width, height }) {
  if (layer.width === width && layer.height === height) return layer;
  const { channels } = layer;
  const pixels = new Uint8Array(width * height * channels);
  if (layer.tiles.size) {
    for (let y = 0; y < height; y++) {
      const from = Math.min(layer.height - 1, Math.floor(((y + 0.5) * layer.height) / height));
      const row = layer.rows(from, from + 1);
      for (let x = 0; x < width; x++) {
        const at = Math.min(layer.width - 1, Math.floor(((x + 0.5) * layer.width) / width)) * channels;
        for (let one = 0; one < channels; one++) pixels[(y * width + x) * channels + one] = row[at + one];
      }
    }
  }
  return Tiles.from(width, height, channels, pixels);
}

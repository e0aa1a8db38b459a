/**
 * Writes a layer as a PNG file (ISO/IEC 15948), a band of rows after another. The browser's own encoder would multiply
 * colours by their opacity and back, which changes them, and needs the whole picture four times.
 */

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
const BAND = 64; // rows at a time
const GREY = 0; // colour types of the format
const COLOUR_WITH_ALPHA = 6;

const CRC = Uint32Array.from({ length: 256 }, (_, number) => {
  let value = number;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

/**
 * @param {import("./canvas_tiles.js").Tiles} layer a mask becomes grey, paint colour with opacity, both of 8 bits
 * @returns {Promise<Blob>}
 */
export async function png(layer) {
  const header = new DataView(new ArrayBuffer(13));
  header.setUint32(0, layer.width);
  header.setUint32(4, layer.height);
  header.setUint8(8, 8);
  header.setUint8(9, layer.channels === 1 ? GREY : COLOUR_WITH_ALPHA);
  const parts = [SIGNATURE, chunk("IHDR", new Uint8Array(header.buffer))];
  const squeezed = bands(layer).pipeThrough(new CompressionStream("deflate")).getReader();
  for (let piece = await squeezed.read(); !piece.done; piece = await squeezed.read()) {
    parts.push(chunk("IDAT", piece.value));
  }
  parts.push(chunk("IEND", new Uint8Array(0)));
  return new Blob(parts, { type: "image/png" });
}

/** The rows, each behind a byte that says that it is not filtered. */
function bands(layer) {
  const length = layer.width * layer.channels;
  let top = 0;
  return new ReadableStream({
    pull(controller) {
      const bottom = Math.min(top + BAND, layer.height);
      const rows = layer.rows(top, bottom);
      const out = new Uint8Array((bottom - top) * (length + 1));
      for (let row = 0; row < bottom - top; row++) {
        out.set(rows.subarray(row * length, (row + 1) * length), row * (length + 1) + 1);
      }
      controller.enqueue(out);
      top = bottom;
      if (top >= layer.height) controller.close();
    },
  });
}

function chunk(kind, data) {
  const out = new Uint8Array(12 + data.length);
  const view = new DataView(out.buffer);
  view.setUint32(0, data.length);
  for (let at = 0; at < 4; at++) out[4 + at] = kind.charCodeAt(at);
  out.set(data, 8);
  let crc = 0xffffffff;
  for (let at = 4; at < 8 + data.length; at++) crc = CRC[(crc ^ out[at]) & 255] ^ (crc >>> 8);
  view.setUint32(8 + data.length, (crc ^ 0xffffffff) >>> 0);
  return out;
}

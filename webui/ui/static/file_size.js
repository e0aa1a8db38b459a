// How large a file is, for people.

const UNITS = ["B", "KB", "MB", "GB", "TB"];

/** @param {number} bytes */
export function bytesInWords(bytes) {
  const power = bytes > 0 ? Math.min(UNITS.length - 1, Math.floor(Math.log2(bytes) / 10)) : 0;
  return `${(bytes / 1024 ** power).toFixed(power > 1 ? 1 : 0)} ${UNITS[power]}`;
}

// People as OpenPose's JSON has them, as plain data: reading, writing, moving. No drawing here.

import { t } from "./language.js";

/**
 * @typedef {{x: number, y: number}|null} Point a point in pixels; null: it was not found
 * @typedef {{body: Point[], left: Point[], right: Point[], face: Point[]}} Person an empty list: there is no such part
 * @typedef {{width: number, height: number, people: Person[]}} Pose
 */

export const LIMBS = Object.freeze([[1, 2], [1, 5], [2, 3], [3, 4], [5, 6], [6, 7], [1, 8], [8, 9], [9, 10], [1, 11], [11, 12], [12, 13], [1, 0], [0, 14], [14, 16], [0, 15], [15, 17]]);
export const FINGERS = Object.freeze([1, 5, 9, 13, 17].flatMap((first) => [[0, first], ...[0, 1, 2].map((n) => [first + n, first + n + 1])]));
export const COUNTS = Object.freeze({ body: 18, left: 21, right: 21, face: 70 });
const KEYS = Object.freeze({ body: "pose_keypoints_2d", left: "hand_left_keypoints_2d", right: "hand_right_keypoints_2d", face: "face_keypoints_2d" });
const PARTS = /** @type {("body"|"left"|"right"|"face")[]} */ (Object.keys(KEYS));
const CARRIED = Object.freeze({ 4: "right", 7: "left", 0: "face" }); // what moves with a joint
const LEAST = 64;
export const MOST = Object.freeze({ side: 4096, people: 16 });
// a person who stands, in shares of the height, from the middle
const STANDING = Object.freeze([[0, 0.16], [0, 0.27], [-0.08, 0.27], [-0.12, 0.42], [-0.14, 0.56], [0.08, 0.27], [0.12, 0.42], [0.14, 0.56], [-0.05, 0.56], [-0.06, 0.74], [-0.06, 0.92], [0.05, 0.56], [0.06, 0.74], [0.06, 0.92], [-0.015, 0.14], [0.015, 0.14], [-0.035, 0.155], [0.035, 0.155]]);

/** The names of the joints, in OpenPose's order; left and right are the person's own. */
export const jointNames = () => [t("nose"), t("neck"), t("right shoulder"), t("right elbow"), t("right wrist"), t("left shoulder"), t("left elbow"), t("left wrist"), t("right hip"), t("right knee"), t("right ankle"), t("left hip"), t("left knee"), t("left ankle"), t("right eye"), t("left eye"), t("right ear"), t("left ear")];

/** The colour of the joint and the limb of a number, of 18. */
export const hueOf = (/** @type {number} */ number, count = 18) => `hsl(${(360 * number) / count} 100% 50%)`;

/** A person who stands in the middle of a canvas, or beside it by a share of its width. @returns {Person} */
export function standing(/** @type {number} */ width, /** @type {number} */ height, aside = 0) {
  const tall = Math.min(height, width * 1.8);
  const middle = width * (0.5 + aside);
  const body = STANDING.map(([x, y]) => inside({ x: middle + x * tall, y: (height - tall) / 2 + y * tall }, width, height));
  return { body, left: [], right: [], face: [] };
}

/** A pose without anybody moved. @returns {Pose} */
export const fresh = (/** @type {number} */ width, /** @type {number} */ height) => ({ width, height, people: [standing(width, height)] });

const inside = (/** @type {{x: number, y: number}} */ { x, y }, /** @type {number} */ width, /** @type {number} */ height) => ({ x: Math.min(Math.max(x, 0), width - 1), y: Math.min(Math.max(y, 0), height - 1) });

/** A pose with one joint of a person elsewhere. Hands move with their wrists, a face with the nose. @returns {Pose} */
export function withJoint(/** @type {Pose} */ pose, /** @type {number} */ at, /** @type {number} */ joint, /** @type {{x: number, y: number}|null} */ to) {
  const person = pose.people[at];
  const from = person.body[joint];
  const place = to && inside(to, pose.width, pose.height);
  const changed = { ...person, body: person.body.map((one, number) => (number === joint ? place : one)) };
  const part = CARRIED[/** @type {0|4|7} */ (joint)];
  if (part && place && from) changed[part] = shifted(person[part], place.x - from.x, place.y - from.y);
  return withPerson(pose, at, changed);
}

/** A pose with a whole person moved. @returns {Pose} */
export function withShift(/** @type {Pose} */ pose, /** @type {number} */ at, /** @type {number} */ x, /** @type {number} */ y) {
  const person = pose.people[at];
  const points = person.body.filter((one) => one !== null);
  const [left, top] = [Math.min(...points.map((one) => one.x)), Math.min(...points.map((one) => one.y))];
  const [right, bottom] = [Math.max(...points.map((one) => one.x)), Math.max(...points.map((one) => one.y))];
  const bounded = (/** @type {number} */ by, /** @type {number} */ low, /** @type {number} */ high, /** @type {number} */ side) => Math.min(Math.max(by, Math.min(0, -low)), Math.max(0, side - 1 - high));
  const [dx, dy] = [bounded(x, left, right, pose.width), bounded(y, top, bottom, pose.height)];
  return withPerson(pose, at, /** @type {Person} */ (Object.fromEntries(PARTS.map((part) => [part, shifted(person[part], dx, dy)]))));
}

const shifted = (/** @type {Point[]} */ points, /** @type {number} */ x, /** @type {number} */ y) => points.map((one) => one && { x: one.x + x, y: one.y + y });
const withPerson = (/** @type {Pose} */ pose, /** @type {number} */ at, /** @type {Person} */ person) => ({ ...pose, people: pose.people.map((one, number) => (number === at ? person : one)) });

/** One more person, beside those that are there. @returns {Pose} */
export function withAnother(/** @type {Pose} */ pose) {
  const aside = [0.2, -0.2, 0.35, -0.35, 0.1, -0.1][pose.people.length % 6];
  return { ...pose, people: [...pose.people, standing(pose.width, pose.height, pose.people.length ? aside : 0)] };
}

/** @returns {Pose} */
export const without = (/** @type {Pose} */ pose, /** @type {number} */ at) => ({ ...pose, people: pose.people.filter((_, number) => number !== at) });

/** OpenPose's JSON of a pose. */
export function toJson(/** @type {Pose} */ pose) {
  const flat = (/** @type {Point[]} */ points) => points.flatMap((one) => (one ? [Math.round(one.x * 100) / 100, Math.round(one.y * 100) / 100, 1] : [0, 0, 0]));
  const people = pose.people.map((person) => Object.fromEntries(PARTS.map((part) => [KEYS[part], part === "body" || person[part].length ? flat(person[part]) : null])));
  return { people, animals: [], canvas_width: pose.width, canvas_height: pose.height };
}

/** The pose in OpenPose's JSON, of which a list is one too; its first is taken. Throws an Error with a sentence. @returns {Pose} */
export function fromJson(/** @type {*} */ given) {
  const json = Array.isArray(given) ? given[0] : (given?.poses?.[0] ?? given);
  const [width, height] = [json?.canvas_width, json?.canvas_height];
  const isSide = (/** @type {*} */ side) => Number.isInteger(side) && side >= LEAST && side <= MOST.side;
  if (!Array.isArray(json?.people) || !isSide(width) || !isSide(height)) throw new Error(t("This is no pose of OpenPose: it needs people, canvas_width and canvas_height of {low} to {high}.", { low: LEAST, high: MOST.side }));
  return { width, height, people: json.people.slice(0, MOST.people).map((/** @type {*} */ person) => personOf(person, width, height)) };
}

function personOf(/** @type {*} */ person, /** @type {number} */ width, /** @type {number} */ height) {
  const read = (/** @type {"body"|"left"|"right"|"face"} */ part) => pointsOf(person?.[KEYS[part]], part, width, height);
  return { body: read("body"), left: read("left"), right: read("right"), face: read("face") };
}

/** Points of a flat list of x, y and confidence, in pixels or in shares of the canvas. @returns {Point[]} */
function pointsOf(/** @type {*} */ numbers, /** @type {"body"|"left"|"right"|"face"} */ part, /** @type {number} */ width, /** @type {number} */ height) {
  const empty = part === "body" ? Array(COUNTS.body).fill(null) : [];
  if (numbers === null || numbers === undefined) return empty;
  if (!Array.isArray(numbers) || !numbers.every(Number.isFinite)) throw new Error(t("This is no pose of OpenPose: {name} should be a list of numbers.", { name: KEYS[part] }));
  if (!numbers.length) return empty;
  const points = Array.from({ length: COUNTS[part] }, (_, at) => (numbers[3 * at + 2] > 0 ? { x: numbers[3 * at], y: numbers[3 * at + 1] } : null));
  const areShares = points.every((one) => !one || (Math.abs(one.x) <= 1 && Math.abs(one.y) <= 1));
  return points.map((one) => one && (areShares ? { x: one.x * width, y: one.y * height } : one));
}

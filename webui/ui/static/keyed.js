// Rows that are changed in place, so that nothing flickers and the focus stays where it is.

/**
 * Make these the children of a box. Those that stand right already are not moved: a moved one loses the focus, and the
 * pointer that is pressed on it.
 * @param {HTMLElement} box @param {readonly HTMLElement[]} nodes
 */
export const placed = (box, nodes) => {
  // what has vanished goes first: otherwise all that follows it would be put in anew
  const wanted = new Set(nodes);
  for (const node of [...box.children]) if (!wanted.has(node)) node.remove();
  nodes.forEach((node, index) => {
    if (box.children[index] !== node) box.insertBefore(node, box.children[index] ?? null);
  });
};

/**
 * Make the children of a box those of a list, one each, in its order.
 *
 * @template T
 * @param {HTMLElement} box
 * @param {readonly T[]} items
 * @param {(item: T) => string} keyOf
 * @param {(item: T) => HTMLElement} create
 * @param {(node: HTMLElement, item: T, index: number) => void} update
 */
export const keyed = (box, items, keyOf, create, update) => {
  const focused = box.contains(document.activeElement) ? document.activeElement : null;
  const old = new Map([...box.children].map((node) => [node.dataset.key, node]));
  const nodes = items.map((item, index) => {
    const key = keyOf(item);
    const node = old.get(key) ?? create(item);
    node.dataset.key = key;
    update(node, item, index);
    return node;
  });
  placed(box, nodes);
  // a node that is moved in the tree loses the focus
  if (focused?.isConnected && document.activeElement !== focused) focused.focus({ preventScroll: true });
};

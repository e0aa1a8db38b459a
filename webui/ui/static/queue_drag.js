// Rows of the queue are moved by their grip, with mouse, pen or finger.

export class QueueDrag {
  /**
   * @param {HTMLElement} list its `.row`s have `data-key` and `data-state`
   * @param {(id: string, before: string|null) => void} moved
   */
  constructor(list, moved) {
    this.list = list;
    this.moved = moved;
    list.addEventListener("pointerdown", (event) => this.#start(event));
  }

  #start(event) {
    const grip = event.target.closest(".grip");
    const row = grip?.closest(".row");
    if (!row || event.button !== 0 || !["waiting", "held"].includes(row.dataset.state)) return;
    event.preventDefault();
    grip.setPointerCapture(event.pointerId);
    row.classList.add("dragged");
    const from = event.clientY;
    let before; // undefined: it stays where it is
    const move = (moving) => {
      row.style.transform = `translateY(${moving.clientY - from}px)`;
      before = this.#placeAt(moving.clientY, row);
      for (const other of this.list.children) other.classList.toggle("over", before !== undefined && other === before);
      this.list.classList.toggle("over_end", before === null);
    };
    const end = (ending) => {
      for (const name of ["pointermove", "pointerup", "pointercancel"]) grip.removeEventListener(name, name === "pointermove" ? move : end); // prettier-ignore
      document.removeEventListener("lostpointercapture", lost);
      row.classList.remove("dragged");
      row.style.transform = "";
      this.list.classList.remove("over_end");
      for (const other of this.list.children) other.classList.remove("over");
      if (ending.type === "pointerup" && before !== undefined) this.moved(row.dataset.key, before?.dataset.key ?? null);
    };
    // a row that is taken from the list, or put in anew, has lost the pointer; where it is gone, the document is told
    const lost = (losing) => {
      if (losing.pointerId === event.pointerId && !grip.hasPointerCapture(event.pointerId)) end(losing);
    };
    document.addEventListener("lostpointercapture", lost);
    grip.addEventListener("pointermove", move);
    grip.addEventListener("pointerup", end);
    grip.addEventListener("pointercancel", end);
  }

  // The row before which a row would come, null for the end, undefined where it is already.
  #placeAt(y, row) {
    const others = [...this.list.children].filter((one) => one !== row && ["waiting", "held"].includes(one.dataset.state));
    const next = others.find((one) => {
      const box = one.getBoundingClientRect();
      return y < box.top + box.height / 2;
    });
    const isHere = (next ?? null) === nextMovable(row);
    return isHere ? undefined : (next ?? null);
  }
}

const nextMovable = (row) => {
  let next = row.nextElementSibling;
  while (next && !["waiting", "held"].includes(next.dataset.state)) next = next.nextElementSibling;
  return next;
};

/** Tells listeners what changed, in the order in which they came. */
export class Emitter {
  #listeners = new Map();

  /** Calls `listener` with the detail of each `type` event; answers a function that ends this. */
  on(type, listener) {
    const listeners = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  emit(type, detail) {
    for (const listener of [...(this.#listeners.get(type) ?? [])]) listener(detail);
  }
}

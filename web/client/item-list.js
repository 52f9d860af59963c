import { applyUpdate, plainText } from "./items.js";

/**
 * The items of a thread in their order. Each change is told to `onChange`: `{op: 'reset'}`,
 * `{op: 'put', item}` (new or changed), `{op: 'rename', from, item}`, `{op: 'remove', id}`,
 * `{op: 'prepend', items}`.
 *
 * A run that is followed again tells its items from their beginnings. What is shown already is kept
 * until the telling has come as far, so that nobody sees an answer shrink.
 */
export class ItemList {
  #onChange;
  #byId = new Map();
  /** Items that are being told again, by id. */
  #retold = new Map();
  /** Items of the run that are not done. */
  #open = new Set();

  constructor(onChange) {
    this.#onChange = onChange;
    this.all = [];
  }

  get last() {
    return this.all.at(-1);
  }

  has(id) {
    return this.#byId.has(id);
  }

  get(id) {
    return this.#byId.get(id);
  }

  /** Whether more of an item is to come. */
  isOpen(id) {
    return this.#open.has(id);
  }

  reset(items) {
    const local = this.all.filter((item) => item.local);
    this.all = [...items, ...local];
    this.#byId = new Map(this.all.map((item) => [item.id, item]));
    this.#retold.clear();
    this.#open.clear();
    this.#onChange({ op: "reset" });
  }

  prepend(items) {
    const older = items.filter((item) => !this.has(item.id));
    this.all.unshift(...older);
    for (const item of older) this.#byId.set(item.id, item);
    this.#onChange({ op: "prepend", items: older });
  }

  /** An item, new or as it is now. */
  put(item) {
    const known = this.#byId.get(item.id);
    if (known) this.all[this.all.indexOf(known)] = item;
    else this.all.push(item);
    this.#byId.set(item.id, item);
    this.#onChange({ op: "put", item });
  }

  /** Tells that an item was changed in place. */
  touch(id) {
    const item = this.get(id);
    if (item) this.#onChange({ op: "put", item });
  }

  remove(id) {
    const item = this.get(id);
    if (!item) return;
    this.all.splice(this.all.indexOf(item), 1);
    this.#byId.delete(id);
    this.#onChange({ op: "remove", id });
  }

  removeAfter(id) {
    const at = this.all.findIndex((item) => item.id === id);
    for (const item of this.all.slice(at + 1)) this.remove(item.id);
  }

  /**
   * An event of a run; `local` is the message that began it, as it was shown before the server had
   * it. Events that are no item's are left to others.
   */
  receive(event, local) {
    switch (event.type) {
      case "thread.item.added":
        this.#added(event.item);
        break;
      case "thread.item.updated":
        this.#updated(event.item_id, event.update);
        break;
      case "thread.item.done":
      case "thread.item.replaced":
        this.#retold.delete(event.item.id);
        this.#open.delete(event.item.id);
        this.#done(event.item, local);
        break;
      case "thread.item.removed":
        this.remove(event.item_id);
        break;
    }
  }

  /** The run has ended: nothing more comes. */
  close() {
    const open = [...this.#open];
    this.#open.clear();
    this.#retold.clear();
    for (const id of open) this.touch(id);
  }

  #added(item) {
    this.#open.add(item.id);
    if (this.has(item.id)) this.#retold.set(item.id, item);
    else this.put(item);
  }

  #updated(id, update) {
    const retold = this.#retold.get(id);
    const item = retold ?? this.get(id);
    if (!item) return;
    applyUpdate(item, update);
    if (!retold) this.touch(id);
    else if (hasCaughtUp(retold, this.get(id))) {
      this.#retold.delete(id);
      this.put(retold);
    }
  }

  #done(item, local) {
    const isSent = local && item.type === "user_message" && this.has(local.id);
    if (!isSent) return this.put(item);
    this.all[this.all.indexOf(local)] = item;
    this.#byId.delete(local.id);
    this.#byId.set(item.id, item);
    this.#onChange({ op: "rename", from: local.id, item });
  }
}

function hasCaughtUp(retold, shown) {
  if (retold.type === "workflow")
    return retold.workflow.tasks.length >= shown.workflow.tasks.length;
  return plainText(retold).length >= plainText(shown).length;
}

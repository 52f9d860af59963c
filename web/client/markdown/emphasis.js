/** Deeper nesting is text: nobody sees it, and a hostile text could have it by the thousand. */
const MAX_DEPTH = 16;

/**
 * Parts of a text, `{node}` or `{mark, count, length, canOpen, canClose}`, to nodes. Marks become
 * emphasis as CommonMark has it ("process emphasis"): each closing mark takes the nearest opening one
 * of its kind. What is left over is text.
 *
 * `open`: the last strong text that is not closed goes to the end.
 */
export function emphasised(parts, open) {
  const list = new PartList(parts);
  /** Marks before which no opening one was found, by kind of closing mark: nobody looks twice. */
  const bottoms = new Map();
  let closer = list.firstMark;
  while (closer) {
    if (!closer.canClose) {
      closer = closer.nextMark;
      continue;
    }
    const kind = `${closer.mark}${closer.canOpen}${closer.mark === "~" ? closer.count : closer.length % 3}`;
    const opener = findOpener(closer, bottoms.get(kind));
    const next = closer.nextMark;
    if (opener && list.wrap(opener, closer)) {
      if (!opener.count) list.dropMark(opener);
      if (closer.count) continue;
      list.dropMark(closer);
    } else {
      bottoms.set(kind, closer.previousMark);
      if (!closer.canOpen) list.dropMark(closer);
    }
    closer = next;
  }
  if (open) list.closeAtEnd();
  return list.nodes();
}

function findOpener(closer, bottom) {
  for (
    let opener = closer.previousMark;
    opener && opener !== bottom;
    opener = opener.previousMark
  ) {
    if (opener.canOpen && fits(opener, closer)) return opener;
  }
  return null;
}

function fits(opener, closer) {
  if (opener.mark !== closer.mark) return false;
  if (closer.mark === "~") return opener.count === closer.count && closer.count <= 2;
  // "The rule of three": `*a**b*` holds no strong text.
  const isBoth = opener.canClose || closer.canOpen;
  const isThree = (opener.length + closer.length) % 3 === 0;
  return !(isBoth && isThree && (opener.length % 3 || closer.length % 3));
}

/** Parts in a list that is linked twice: all of them, and the marks among them. */
class PartList {
  #end = {};
  #lastMark = null;

  constructor(parts) {
    this.#end.next = this.#end.previous = this.#end;
    this.firstMark = null;
    for (const part of parts) {
      this.#insertBefore(this.#end, part);
      if (!part.mark) continue;
      part.previousMark = this.#lastMark;
      part.nextMark = null;
      if (this.#lastMark) this.#lastMark.nextMark = part;
      else this.firstMark = part;
      this.#lastMark = part;
    }
  }

  /** Puts what is between two marks into an element; answers whether that was possible. */
  wrap(opener, closer) {
    const { nodes, depth } = between(opener, closer);
    if (depth >= MAX_DEPTH) return false;
    const { mark } = opener;
    const isDouble = opener.count >= 2 && closer.count >= 2;
    const tag = mark === "~" ? "del" : isDouble ? "strong" : "em";
    opener.count -= isDouble ? 2 : 1;
    closer.count -= isDouble ? 2 : 1;
    this.#replace(opener, closer, { node: { tag, children: compact(nodes) }, depth: depth + 1 });
    opener.nextMark = closer;
    closer.previousMark = opener;
    return true;
  }

  closeAtEnd() {
    let opener = this.#lastMark;
    while (opener && !(opener.mark === "*" && opener.count === 2 && opener.canOpen))
      opener = opener.previousMark;
    if (!opener || opener.next === this.#end) return;
    const { nodes, depth } = between(opener, this.#end);
    // Half of the closing mark may be there already.
    if (nodes.at(-1) === "*") nodes.pop();
    if (depth >= MAX_DEPTH || !nodes.length) return;
    opener.count = 0;
    this.#replace(opener, this.#end, { node: { tag: "strong", children: compact(nodes) } });
  }

  /** Takes a mark out of those that are looked at; what is left of it is text. */
  dropMark(part) {
    if (part.previousMark) part.previousMark.nextMark = part.nextMark;
    else this.firstMark = part.nextMark;
    if (part.nextMark) part.nextMark.previousMark = part.previousMark;
    else this.#lastMark = part.previousMark;
  }

  nodes() {
    return compact(between(this.#end, this.#end).nodes);
  }

  #replace(before, after, part) {
    before.next = after;
    after.previous = before;
    this.#insertBefore(after, part);
  }

  #insertBefore(after, part) {
    part.previous = after.previous;
    part.next = after;
    part.previous.next = part;
    after.previous = part;
  }
}

/** The nodes between two parts, and how deep they are nested. */
function between(before, after) {
  const nodes = [];
  let depth = 0;
  for (let part = before.next; part !== after; part = part.next) {
    nodes.push(part.mark ? part.mark.repeat(part.count) : part.node);
    depth = Math.max(depth, part.depth ?? 0);
  }
  return { nodes, depth };
}

/** Without empty strings, and with adjacent ones joined. */
function compact(nodes) {
  const joined = [];
  for (const node of nodes) {
    if (node === "") continue;
    if (typeof node === "string" && typeof joined.at(-1) === "string")
      joined[joined.length - 1] += node;
    else joined.push(node);
  }
  return joined;
}

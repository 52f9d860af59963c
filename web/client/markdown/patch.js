/**
 * Makes the last children of an element, from `offset` on, those that `next` describes, where they are
 * those of `previous` now. What is the same stays as it is, and a text that has grown gets the rest:
 * nobody's selection is lost, and a long answer costs what is new of it.
 */
export function patch(parent, previous, next, offset = 0) {
  const shared = Math.min(previous.length, next.length);
  for (let at = 0; at < shared; at += 1)
    patchNode(parent.childNodes[offset + at], previous[at], next[at]);
  for (let at = previous.length; at > next.length; at -= 1) parent.lastChild.remove();
  for (const node of next.slice(shared)) parent.append(create(node));
}

function patchNode(dom, before, after) {
  if (before === after) return;
  if (typeof before === "string" && typeof after === "string") {
    if (after.startsWith(before)) dom.appendData(after.slice(before.length));
    else dom.data = after;
  } else if (before.tag && before.tag === after.tag && isEqual(before.attrs, after.attrs)) {
    patch(dom, before.children ?? [], after.children ?? []);
  } else {
    dom.replaceWith(create(after));
  }
}

function isEqual(before = {}, after = {}) {
  const names = Object.keys(before);
  return (
    names.length === Object.keys(after).length &&
    names.every((name) => before[name] === after[name])
  );
}

function create(node) {
  if (typeof node === "string") return document.createTextNode(node);
  const element = document.createElement(node.tag);
  for (const [name, value] of Object.entries(node.attrs ?? {})) element.setAttribute(name, value);
  for (const child of node.children ?? []) element.append(create(child));
  return element;
}

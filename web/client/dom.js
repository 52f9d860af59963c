/**
 * An element: `h('button.icon', {ariaLabel: 'Close', onclick}, 'text', child)`. Properties are set as
 * properties; `data-…`, `aria-…` and `role` as attributes. Children may be null, and lists
 * in lists. There is no way to give it HTML.
 */
export function h(selector, props = {}, ...children) {
  const [tag, ...classes] = selector.split(".");
  const element = document.createElement(tag || "div");
  if (classes.length) element.className = classes.join(" ");
  for (const [name, value] of Object.entries(props)) {
    if (/^(data-|aria-|role$|tabindex$|for$|list$|scope$)/.test(name))
      setAttribute(element, name, value);
    else if (value !== undefined) element[name] = value;
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

/** Sets an attribute, or takes it away when the value is null or false. */
export function setAttribute(element, name, value) {
  if (value === null || value === undefined || value === false) element.removeAttribute(name);
  else element.setAttribute(name, value === true ? "" : value);
}

let ids = 0;

/** An id for a label and its field. Shadow trees have ids of their own; the counter keeps one tree clean. */
export function newId(prefix) {
  ids += 1;
  return `${prefix}-${ids}`;
}

/** Calls `show` once before the next paint, however often it is asked for. */
export function oncePerFrame(show) {
  let isWaiting = false;
  return () => {
    if (isWaiting) return;
    isWaiting = true;
    // A hidden page has no frames, and nobody to see them; its state must not fall behind for ever.
    const later = document.hidden ? (call) => setTimeout(call, 200) : requestAnimationFrame;
    later(() => {
      isWaiting = false;
      show();
    });
  };
}

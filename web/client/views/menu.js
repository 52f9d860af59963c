import { h } from "../dom.js";
import { icon } from "../icons.js";

/**
 * A menu below its button: `entries` answers `{label, icon, action, isDanger}` when it is opened.
 * Arrow keys walk, Escape closes, and the focus goes back to the button.
 */
export function menuButton({ label, entries }) {
  const button = h(
    "button.icon-button",
    {
      type: "button",
      ariaLabel: label,
      ariaHasPopup: "menu",
      ariaExpanded: "false",
    },
    icon("dots"),
  );
  let menu = null;

  function close({ keepFocus = false } = {}) {
    if (!menu) return;
    menu.remove();
    menu = null;
    button.ariaExpanded = "false";
    root().removeEventListener("pointerdown", onOutside, true);
    if (!keepFocus) button.focus();
  }

  function root() {
    return button.getRootNode();
  }

  function onOutside(event) {
    if (!menu.contains(event.target) && !button.contains(event.target)) close({ keepFocus: true });
  }

  function open() {
    menu = h("div.menu", { role: "menu", ariaLabel: label, onkeydown: onKey }, entries().map(item));
    button.after(menu);
    button.ariaExpanded = "true";
    place(menu, button);
    root().addEventListener("pointerdown", onOutside, true);
    menu.firstChild.focus();
  }

  function item({ label: text, icon: name, action, isDanger }) {
    const onclick = (event) => {
      event.stopPropagation();
      close();
      action();
    };
    const className = isDanger ? "menu-item danger" : "menu-item";
    return h(
      "button",
      { type: "button", role: "menuitem", tabindex: "-1", className, onclick },
      icon(name),
      text,
    );
  }

  function onKey(event) {
    const items = [...menu.children];
    const at = items.indexOf(root().activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
    if (to !== undefined) items.at(to % items.length).focus();
    else if (event.key === "Escape" || event.key === "Tab") close();
    else return;
    event.stopPropagation();
    if (event.key !== "Tab") event.preventDefault();
  }

  button.addEventListener("click", (event) => {
    event.stopPropagation();
    if (menu) close();
    else open();
  });
  return button;
}

/** Above the button where there is no room below. */
function place(menu, button) {
  const { bottom } = button.getBoundingClientRect();
  const isLow = bottom + menu.offsetHeight + 8 > innerHeight;
  menu.classList.toggle("above", isLow);
}

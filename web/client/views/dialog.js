import { h } from "../dom.js";

/** Asks before something is done that cannot be undone; answers whether to do it. */
export function confirm(parent, { title, text, action }) {
  return new Promise((resolve) => {
    const answer = (value) => dialog.close(value);
    const dialog = h(
      "dialog.dialog",
      { ariaLabel: title },
      h("h2", {}, title),
      h("p", {}, text),
      h(
        "div.dialog-buttons",
        {},
        h(
          "button.button",
          { type: "button", autofocus: true, onclick: () => answer("") },
          "Cancel",
        ),
        h("button.button.danger", { type: "button", onclick: () => answer("yes") }, action),
      ),
    );
    dialog.addEventListener("click", (event) => event.target === dialog && answer(""));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    parent.append(dialog);
    // The element itself gives the focus back to where it was.
    dialog.showModal();
  });
}

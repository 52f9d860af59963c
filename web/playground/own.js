import "/client.js";

/** Shows the gateway's own client. */
export async function showOwn(main, options) {
  const element = document.createElement("chatkit-gateway-chat");
  main.replaceChildren(element);
  // On a touch screen the keyboard would cover half of the page before anybody has asked for it.
  element.configure({ ...options, autofocus: matchMedia("(pointer: fine)").matches });
  return {
    fetch: options.fetch,
    draft: () => element.draft,
    setTheme: (theme) => element.setTheme(theme),
    openThread: (id) => element.setThreadId(id),
    setConnection: (connection) => element.setConnection(connection),
  };
}

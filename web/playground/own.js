import "/client.js";

/** Shows the gateway's own client. */
export async function showOwn(main, options) {
  const element = document.createElement("chatkit-gateway-chat");
  main.replaceChildren(element);
  element.configure(options);
  return {
    fetch: options.fetch,
    setTheme: (theme) => element.setTheme(theme),
    openThread: (id) => element.setThreadId(id),
    setConnection: (connection) => element.setConnection(connection),
  };
}

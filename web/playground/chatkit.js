/** OpenAI's script with the ChatKit element; its frame comes from the same host. */
const SCRIPT = "https://cdn.platform.openai.com/deployments/chatkit/chatkit.js";
/** How long it may take, in milliseconds. */
const PATIENCE = 10_000;

/** Shows ChatKit's own element. Throws, with words for the user, when it cannot be had. */
export async function showChatKit(main, { fetch, theme, thread, onThreadChange, startPrompts }) {
  await load();
  const element = document.createElement("openai-chatkit");
  // With our own fetch the page says who calls; any domain key does on a loopback address.
  element.setOptions({
    api: { url: "/chatkit", domainKey: "local-dev", fetch },
    theme: optionsOfTheme(theme),
    initialThread: thread,
    startScreen: { prompts: startPrompts.map(({ label, prompt }) => ({ label, prompt })) },
    threadItemActions: { feedback: true, retry: true },
  });
  element.addEventListener("chatkit.thread.change", (event) =>
    onThreadChange(event.detail.threadId),
  );
  element.style.setProperty("display", "block");
  element.style.setProperty("height", "100%");
  main.replaceChildren(element);
  // A reload ends ChatKit's own stream; the helper knows of a run that goes on, and says when there is
  // more to see.
  if (thread) fetch.liveRun(thread, () => element.fetchUpdates()).catch(() => {});
  return {
    fetch,
    setTheme: (next) => element.setOptions({ theme: optionsOfTheme(next) }),
    openThread: (id) => element.setThreadId(id),
  };
}

function optionsOfTheme({ accent, colorScheme }) {
  const isDark = matchMedia("(prefers-color-scheme: dark)").matches;
  const scheme = colorScheme === "system" ? (isDark ? "dark" : "light") : colorScheme;
  return { colorScheme: scheme, color: { accent: { primary: accent, level: 2 } } };
}

async function load() {
  const script = document.createElement("script");
  script.src = SCRIPT;
  const loaded = new Promise((resolve, reject) => {
    script.addEventListener("load", resolve);
    script.addEventListener("error", () =>
      reject(new Error("ChatKit cannot be loaded from OpenAI.")),
    );
  });
  const late = new Promise((_, reject) => {
    setTimeout(() => reject(new Error("OpenAI’s server does not answer.")), PATIENCE);
  });
  document.head.append(script);
  await Promise.race([loaded.then(() => customElements.whenDefined("openai-chatkit")), late]);
}

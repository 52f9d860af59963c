/** OpenAI's script with the ChatKit element; its frame comes from the same host. */
const SCRIPT = "https://cdn.platform.openai.com/deployments/chatkit/chatkit.js";
/** How long it may take, in milliseconds. */
const PATIENCE = 10_000;

let loading: Promise<void> | null = null;

/** Loads ChatKit's element, once. Rejects when it cannot be had; then it may be tried again. */
export function loadChatKit(): Promise<void> {
  loading ??= load().catch((error: unknown) => {
    loading = null;
    throw error;
  });
  return loading;
}

async function load(): Promise<void> {
  const script = document.createElement("script");
  script.src = SCRIPT;
  const loaded = new Promise((resolve, reject) => {
    script.addEventListener("load", resolve);
    script.addEventListener("error", () => reject(new Error("ChatKit cannot be loaded.")));
  });
  const late = new Promise<never>((_, reject) => {
    setTimeout(() => reject(new Error("OpenAI’s server does not answer.")), PATIENCE);
  });
  document.head.append(script);
  try {
    await Promise.race([loaded.then(() => customElements.whenDefined("openai-chatkit")), late]);
  } catch (error) {
    script.remove();
    throw error;
  }
}

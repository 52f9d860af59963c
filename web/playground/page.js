import { createChatKitFetch } from "/chatkit-gateway.js";
import { showChatKit } from "./chatkit.js";
import { showOwn } from "./own.js";
import { Session } from "./session.js";

const SCHEME = "chatkit-gateway.scheme";

const settings = JSON.parse(document.querySelector("meta[name=chatkit-gateway]").content);
const session = new Session(settings);
const main = byId("main");
/** What is shown: `{fetch, setTheme, openThread, draft, setConnection}`; the last two may be missing. */
let chat = null;
/** What somebody had written when their session ended: `{user, text}`. */
let draft = null;

function byId(id) {
  return document.getElementById(id);
}

function say(text) {
  byId("word").textContent = text;
  byId("word").hidden = text === "";
}

// ---- which thread: in the address, so that it can be reloaded, kept and gone back to -------------

function threadOfAddress() {
  return new URLSearchParams(location.hash.slice(1)).get("thread");
}

function onThreadChange(id) {
  if (id === threadOfAddress()) return;
  history.pushState(
    null,
    "",
    id ? `#thread=${encodeURIComponent(id)}` : location.pathname + location.search,
  );
}

addEventListener("popstate", () => chat?.openThread(threadOfAddress()));

// ---- what is chosen ------------------------------------------------------------------------------

function theme() {
  return { accent: "#2563eb", colorScheme: localStorage.getItem(SCHEME) ?? "system" };
}

function applyTheme() {
  document.documentElement.dataset.scheme = theme().colorScheme;
  chat?.setTheme(theme());
}

function setUpChoices() {
  const scheme = byId("scheme-choice");
  scheme.value = theme().colorScheme;
  scheme.addEventListener("change", () => {
    localStorage.setItem(SCHEME, scheme.value);
    applyTheme();
  });

  const ui = byId("ui-choice");
  ui.value = wantsChatKit() ? "chatkit" : "own";
  // Another page, since it needs another Content-Security-Policy.
  ui.addEventListener("change", () => {
    location.assign((ui.value === "chatkit" ? "/?ui=chatkit" : "/") + location.hash);
  });

  const user = byId("user-choice");
  byId("user-label").hidden = !session.isDemo;
  user.replaceChildren(
    ...session.users.map((name) => new Option(name, name, false, name === session.user)),
  );
  user.addEventListener("change", () => {
    session.choose(user.value);
    onThreadChange(null);
    begin();
  });

  byId("sign-out").addEventListener("click", async () => {
    await chat?.fetch.logout().catch(() => {});
    session.signOut();
    onThreadChange(null);
    begin();
  });

  const panel = byId("settings");
  addEventListener("pointerdown", (event) => {
    if (!panel.contains(event.target)) panel.open = false;
  });
  panel.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    panel.open = false;
    panel.querySelector("summary").focus();
  });
}

function wantsChatKit() {
  return new URLSearchParams(location.search).get("ui") === "chatkit";
}

// ---- sign in, chat -------------------------------------------------------------------------------

async function begin() {
  byId("mode").hidden = !session.isDemo;
  byId("who").textContent = session.user ?? "Settings";
  byId("sign-out").hidden = session.isDemo || !session.isSignedIn;
  chat = null;
  if (!session.isSignedIn) {
    main.replaceChildren(signInForm());
    main.querySelector("input").focus();
    return;
  }
  await showChat();
  applyTheme();
}

async function showChat() {
  const { user } = session;
  const fetch = createChatKitFetch({
    getToken: (refused) => session.getToken(refused),
    onToken: (token) => session.keep(token),
    onConnection: (connection) => chat?.setConnection?.(connection),
  });
  const options = {
    fetch,
    theme: theme(),
    thread: threadOfAddress(),
    onThreadChange,
    onLoginRequired: () => onLoginRequired(user),
    // Nobody else's: another may have signed in.
    draft: draft?.user === user ? draft.text : "",
    attachments: settings.attachments ? {} : null,
    startPrompts: [
      { label: "Create a task", prompt: "add a task: water the plants", icon: "check-circle" },
      { label: "List my tasks", prompt: "list my tasks", icon: "list" },
      { label: "Get help", prompt: "help", icon: "help" },
      { label: "A long answer", prompt: "a long answer, please", icon: "document" },
    ],
  };
  draft = null;
  say("");
  if (wantsChatKit()) {
    try {
      chat = await showChatKit(main, options);
      return;
    } catch (error) {
      say(`${error.message} The gateway’s own client stands in for it.`);
    }
  }
  chat = await showOwn(main, options);
}

/** The session of this user has ended. */
function onLoginRequired(user) {
  draft = { user, text: chat?.draft?.() ?? "" };
  if (!session.isDemo) session.signOut();
  begin();
}

function signInForm() {
  const form = document.createElement("form");
  form.className = "sign-in";
  form.append(document.importNode(byId("sign-in-form").content, true));
  const problem = form.querySelector(".problem");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    try {
      await session.signIn(form.elements.token.value);
      begin();
    } catch (error) {
      problem.textContent = error.message;
      form.elements.token.focus();
    } finally {
      button.disabled = false;
    }
  });
  return form;
}

setUpChoices();
applyTheme();
begin();

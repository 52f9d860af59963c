/**
 * Icons, drawn with lines of one width on a field of 24 by 24. The names are ours; `iconOf` finds one
 * for a name of ChatKit's.
 */
const PATHS = {
  archive: "M4 8v10a2 2 0 0 0 2 2h12a2 2 0 0 0 2-2V8M3 4h18v4H3zM10 12h4",
  "arrow-down": "M12 5v14M6 13l6 6 6-6",
  "arrow-up": "M12 19V5M6 11l6-6 6 6",
  bolt: "M13 3 5 14h6l-1 7 8-11h-6z",
  book: "M12 6c-2-1.5-5-2-8-2v14c3 0 6 .5 8 2 2-1.5 5-2 8-2V4c-3 0-6 .5-8 2zM12 6v14",
  bug: "M8 9a4 4 0 0 1 8 0v5a4 4 0 0 1-8 0zM12 10v8M4 12h4M16 12h4M5 6l3 3M19 6l-3 3M5 19l3-3M19 19l-3-3",
  calendar: "M4 6h16v14H4zM4 10h16M8 3v4M16 3v4",
  chart: "M4 20h16M7 16v-5M12 16V7M17 16v-8",
  check: "m5 12.5 4.5 4.5L19 7.5",
  "check-circle": "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM8 12.5l2.7 2.7L16 9.5",
  "chevron-down": "m6 9 6 6 6-6",
  "chevron-left": "m15 6-6 6 6 6",
  "chevron-right": "m9 6 6 6-6 6",
  clock: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 7v5l3 2",
  close: "M6 6l12 12M18 6 6 18",
  code: "m8 7-5 5 5 5M16 7l5 5-5 5",
  compass: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM15.5 8.5l-2 5-5 2 2-5z",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  cube: "m12 3 8 4.5v9L12 21l-8-4.5v-9zM4 7.5l8 4.5 8-4.5M12 12v9",
  desktop: "M3 5h18v11H3zM9 20h6M12 16v4",
  document: "M6 3h8l4 4v14H6zM14 3v4h4M9 12h6M9 16h6",
  dot: "M12 10a2 2 0 1 0 0 4 2 2 0 0 0 0-4z",
  dots: "M5 12h.01M12 12h.01M19 12h.01",
  "external-link": "M14 4h6v6M20 4l-9 9M18 14v6H4V6h6",
  globe: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM3 12h18M12 3c3 3 3 15 0 18-3-3-3-15 0-18z",
  help: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM9.5 9.5a2.5 2.5 0 1 1 3.5 2.3c-.7.3-1 .8-1 1.7M12 17h.01",
  image: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.5 9h.01",
  info: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 11v5M12 8h.01",
  key: "M8 12a4 4 0 1 1 0 .01M11.5 10.5 20 4M17 6.5l2 2",
  lightbulb: "M9 17h6M10 20h4M9 17c0-2-3-3.5-3-7a6 6 0 0 1 12 0c0 3.5-3 5-3 7",
  list: "M9 6h11M9 12h11M9 18h11M4.5 6h.01M4.5 12h.01M4.5 18h.01",
  mail: "M3 6h18v12H3zM3 7l9 6 9-6",
  menu: "M4 7h16M4 12h16M4 17h16",
  moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z",
  paperclip:
    "m20 11-8.5 8.5a5 5 0 0 1-7-7L13 4a3.3 3.3 0 0 1 4.7 4.7l-8.4 8.4a1.7 1.7 0 0 1-2.4-2.4L14.5 7",
  pencil: "M4 20l1-4L16 5l3 3L8 19zM14 7l3 3",
  phone:
    "M5 4h4l2 5-2.5 1.5a11 11 0 0 0 5 5L15 13l5 2v4a1 1 0 0 1-1 1A15 15 0 0 1 4 5a1 1 0 0 1 1-1z",
  pin: "M12 21c4-4.5 6-8 6-11a6 6 0 0 0-12 0c0 3 2 6.5 6 11zM12 8.5a2 2 0 1 0 0 4 2 2 0 0 0 0-4z",
  play: "M7 5v14l11-7z",
  plus: "M12 5v14M5 12h14",
  quote: "M5 6v6h5V6zM7 12c0 2.5-1 4-2 5M14 6v6h5V6zM16 12c0 2.5-1 4-2 5",
  reload: "M20 12a8 8 0 1 1-2.5-5.8M20 4v4h-4",
  restore: "M4 8v10a2 2 0 0 0 2 2h12a2 2 0 0 0 2-2V8M3 4h18v4H3zM12 17v-5M9.5 14l2.5-2.5 2.5 2.5",
  search: "M11 5a6 6 0 1 0 0 12 6 6 0 0 0 0-12zM16 16l4 4",
  "sign-out": "M10 4H5v16h5M10 12h10M16 8l4 4-4 4",
  sparkle: "M12 4c.6 4.5 2.5 7 8 8-5.5 1-7.4 3.5-8 8-.6-4.5-2.5-7-8-8 5.5-1 7.4-3.5 8-8z",
  star: "m12 4 2.4 5 5.6.8-4 3.9.9 5.5-4.9-2.6-4.9 2.6.9-5.5-4-3.9 5.6-.8z",
  stop: "M7 7h10v10H7z",
  suitcase: "M4 8h16v11H4zM9 8V5h6v3M4 13h16",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 3v2M12 19v2M3 12h2M19 12h2M5.6 5.6 7 7M17 17l1.4 1.4M5.6 18.4 7 17M17 7l1.4-1.4",
  "thumb-down":
    "M7 4v10M7 14l4 7c1.5 0 2.5-1 2.5-2.5V15H19a1.7 1.7 0 0 0 1.7-2l-1.2-7A2.3 2.3 0 0 0 17.2 4H7M3.5 4H7v10H3.5z",
  "thumb-up":
    "M7 20V10M7 10l4-7c1.5 0 2.5 1 2.5 2.5V9H19a1.7 1.7 0 0 1 1.7 2l-1.2 7a2.3 2.3 0 0 1-2.3 2H7M3.5 10H7v10H3.5z",
  tool: "M14.5 6.5a4 4 0 0 1 5-2l-2.5 2.5 2 2L21.5 6.5a4 4 0 0 1-5.5 4.8L8 19.3a2 2 0 0 1-3-3l8-8a4 4 0 0 1 1.5-1.8z",
  trash: "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5M14 11v5",
  user: "M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM4.5 20c1-4 4-5.5 7.5-5.5s6.5 1.5 7.5 5.5",
  warning: "M12 4 2.5 20h19zM12 10v4M12 17h.01",
};

/** ChatKit's names for which ours is another. */
const ALIASES = {
  agent: "sparkle",
  analytics: "chart",
  atom: "sparkle",
  batch: "list",
  "book-clock": "book",
  "book-closed": "book",
  "book-open": "book",
  "check-circle-filled": "check-circle",
  "circle-question": "help",
  confetti: "sparkle",
  "dots-horizontal": "dots",
  "dots-vertical": "dots",
  images: "image",
  lab: "bolt",
  lifesaver: "help",
  "map-pin": "pin",
  maps: "pin",
  mobile: "phone",
  notebook: "book",
  "notebook-pencil": "pencil",
  "page-blank": "document",
  profile: "user",
  "profile-card": "user",
  keys: "key",
  "settings-slider": "tool",
  "sparkle-double": "sparkle",
  "square-code": "code",
  "square-image": "image",
  "square-text": "document",
  "star-filled": "star",
  write: "pencil",
  "write-alt": "pencil",
  "write-alt2": "pencil",
};

const SVG = "http://www.w3.org/2000/svg";

/** One of ours. It says nothing to a screen reader: what stands beside it, or its button, does. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const attributes = { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true" };
  for (const [key, value] of Object.entries(attributes)) svg.setAttribute(key, value);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name] ?? PATHS.dot);
  svg.append(path);
  return svg;
}

/** The icon for a name of ChatKit's; a dot for those that we have not drawn. */
export function iconOf(name) {
  return icon(ALIASES[name] ?? name);
}

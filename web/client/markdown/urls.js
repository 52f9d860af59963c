const LINKS = new Set(["http:", "https:", "mailto:", "tel:"]);

/**
 * Where a link of the model's leads, or null when it is none that may be followed: only these
 * schemes, as the browser itself reads them.
 */
export function linkTarget(text, base) {
  const url = parse(text, base);
  return url && LINKS.has(url.protocol) ? url.href : null;
}

/**
 * The source of an image that may be shown, or null: of the page's own origin, or in the text
 * itself. An image of another host would tell that host who reads what, and when.
 */
export function imageSource(text, base) {
  const url = parse(text, base);
  if (!url) return null;
  if (url.protocol === "data:")
    return /^data:image\/(png|jpeg|gif|webp|avif)[;,]/i.test(url.href) ? url.href : null;
  return url.origin === new URL(base).origin && /^https?:$/.test(url.protocol) ? url.href : null;
}

function parse(text, base) {
  try {
    return new URL(text, base);
  } catch {
    return null;
  }
}

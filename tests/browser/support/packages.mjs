import { createRequire } from "node:module";
import path from "node:path";

// They are installed below the build directory, where an import would not look for them.
const folder = process.env.BROWSER_PACKAGES ?? "target/browser";
const require = createRequire(path.resolve(folder, "package.json"));

export const { chromium } = require("playwright-core");
/** The source of axe-core, for a page to run. */
export const { source: axeSource } = require("axe-core");

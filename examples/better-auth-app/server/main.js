// The app's server: Better Auth below /api/auth, the built page elsewhere. Settings: README.md.

import http from "node:http";
import { fileURLToPath } from "node:url";

import { toNodeHandler } from "better-auth/node";

import { createAuth } from "./auth.js";
import { createPages } from "./pages.js";
import { readSettings } from "./settings.js";

try {
  const settings = readSettings(process.env);
  const auth = toNodeHandler(await createAuth(settings));
  const pages = await createPages(fileURLToPath(new URL("../dist", import.meta.url)), settings);
  const server = http.createServer((request, response) => {
    const isAuth = /^\/api\/auth\//.test(request.url);
    Promise.resolve((isAuth ? auth : pages)(request, response)).catch((error) => {
      console.error(error);
      if (!response.headersSent) response.writeHead(500);
      response.end();
    });
  });
  // Loopback alone, unless told otherwise: there is no TLS here.
  server.listen(settings.port, process.env.HOST || "127.0.0.1");
  await new Promise((resolve, reject) => server.once("listening", resolve).once("error", reject));
  console.log(`App      ${settings.origin}/`);
  const stop = () => {
    server.close();
    server.closeAllConnections();
  };
  process.once("SIGINT", stop).once("SIGTERM", stop);
} catch (error) {
  console.error(`The app cannot start: ${error.message}`);
  process.exitCode = 1;
}

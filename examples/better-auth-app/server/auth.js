import { betterAuth } from "better-auth";
import { jwt } from "better-auth/plugins";

/**
 * Better Auth with e-mail and password, and the JWT plugin, whose key set the gateway verifies logins by.
 *
 * `origin` is what pages open, such as `http://127.0.0.1:5180`: the plugin writes it into `iss` and
 * `aud`, where the gateway looks for the origin of the key set's URL. `secret` has at least 32 bytes.
 * `file` is an SQLite file; null keeps all in memory.
 */
export async function createAuth({ origin, secret, file }) {
  const options = {
    appName: "Tasks and talk",
    baseURL: origin,
    secret,
    database: file === null ? await memory() : await sqlite(file),
    emailAndPassword: { enabled: true },
    // Whose login it is (`sub`) is all that the gateway needs to know.
    plugins: [jwt({ jwt: { definePayload: () => ({}) } })],
  };
  if (file !== null) {
    const { getMigrations } = await import("better-auth/db/migration");
    await (await getMigrations(options)).runMigrations();
  }
  return betterAuth(options);
}

// Imported where they are used, so that tests need no compiled package.
async function sqlite(file) {
  const { default: Database } = await import("better-sqlite3");
  const database = new Database(file);
  database.pragma("journal_mode = WAL");
  return database;
}

async function memory() {
  const { memoryAdapter } = await import("better-auth/adapters/memory");
  return memoryAdapter({ user: [], session: [], account: [], verification: [], jwks: [] });
}

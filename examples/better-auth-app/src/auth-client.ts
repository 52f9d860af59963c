import { jwtClient } from "better-auth/client/plugins";
import { createAuthClient } from "better-auth/react";

/** Better Auth, at the page's own origin. A login that ended elsewhere is noticed within a minute. */
export const authClient = createAuthClient({
  plugins: [jwtClient()],
  sessionOptions: { refetchInterval: 60, refetchOnWindowFocus: true },
});

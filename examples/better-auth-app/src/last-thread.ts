/** The thread that a user looked at last, in this browser. */
const key = (user: string) => `better-auth-app.thread.${user}`;

export function readLastThread(user: string): string | null {
  return localStorage.getItem(key(user));
}

export function keepLastThread(user: string, thread: string | null): void {
  if (thread) localStorage.setItem(key(user), thread);
  else localStorage.removeItem(key(user));
}

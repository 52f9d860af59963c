/** Something was refused, or (`status` 0) could not be reached; `message` is for the user. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, message: string, code = "refused") {
    super(message);
    this.name = "Refusal";
    this.status = status;
    this.code = code;
  }
}

/** What the user is told of an answer of the gateway with this status; null when nothing is wrong. */
export function problemOfChat(status: number): string | null {
  if (status >= 200 && status < 400) return null;
  switch (status) {
    case 0:
      return "The chat cannot be reached. Is your network there?";
    case 401:
      return "Your session has ended. Log in again.";
    case 403:
      return "You may not do that.";
    case 404:
      return "That conversation does not exist any more.";
    case 409:
      return "An answer is still being written. Wait for it, or stop it.";
    case 413:
      return "That message is too long.";
    case 429:
      return "Too many messages at a time. Wait a moment and try again.";
    default:
      return status >= 500
        ? "The chat is not available just now. Try again in a moment."
        : "The chat could not do that.";
  }
}

/** The same of a login or a new account: `error` is Better Auth's. */
export function problemOfLogin(error: { status: number; code?: string; message?: string }): string {
  switch (error.status) {
    case 0:
      return "The server cannot be reached. Is your network there?";
    case 401:
      return "That e-mail address and password do not belong together.";
    case 422:
      return error.code?.startsWith("USER_ALREADY_EXISTS")
        ? "There is an account with that e-mail address already. Log in."
        : (error.message ?? "That cannot be taken.");
    case 429:
      return "Too many tries. Wait a moment.";
    default:
      return error.status >= 500
        ? "The server has a problem. Try again in a moment."
        : (error.message ?? "That was refused.");
  }
}

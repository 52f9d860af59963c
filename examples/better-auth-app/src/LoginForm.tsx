import { useState, type FormEvent } from "react";

import { authClient } from "./auth-client";
import { Notice } from "./Notice";
import { problemOfLogin } from "./refusal";

/** Logs in, or makes an account; who has succeeded is told by `authClient.useSession`. */
export function LoginForm({ word }: { word: string | null }) {
  const [isNew, setIsNew] = useState(false);
  const [isBusy, setIsBusy] = useState(false);
  const [problem, setProblem] = useState(word);

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const email = String(form.get("email")).trim();
    const password = String(form.get("password"));
    const name = String(form.get("name") ?? "").trim() || email;
    setIsBusy(true);
    setProblem(null);
    const { error } = await (isNew
      ? authClient.signUp.email({ email, password, name })
      : authClient.signIn.email({ email, password })
    ).catch(() => ({ error: { status: 0 } }));
    setIsBusy(false);
    if (error) setProblem(problemOfLogin(error));
  }

  function change() {
    setIsNew(!isNew);
    setProblem(null);
  }

  return (
    <main className="login">
      <form onSubmit={submit} aria-labelledby="login-title">
        <h1 id="login-title">{isNew ? "Create an account" : "Log in"}</h1>
        <p className="lead">Tasks and talk, with an assistant that keeps your list.</p>
        <Notice text={problem} />
        {isNew && (
          <label>
            Name
            <input name="name" autoComplete="name" required maxLength={80} />
          </label>
        )}
        <label>
          E-mail
          <input name="email" type="email" autoComplete="username" required maxLength={254} />
        </label>
        <label>
          Password
          <input
            name="password"
            type="password"
            autoComplete={isNew ? "new-password" : "current-password"}
            required
            minLength={isNew ? 8 : undefined}
            maxLength={128}
          />
          {isNew && <small>At least 8 characters.</small>}
        </label>
        <button className="primary" disabled={isBusy}>
          {isNew ? "Sign up" : "Log in"}
        </button>
        <p className="other">
          {isNew ? "You have an account?" : "No account yet?"}{" "}
          <button type="button" className="link" onClick={change}>
            {isNew ? "Log in instead" : "Create one"}
          </button>
        </p>
      </form>
    </main>
  );
}

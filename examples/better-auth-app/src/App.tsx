import { useCallback, useEffect, useState } from "react";

import { authClient } from "./auth-client";
import { Chat } from "./Chat";
import type { Config } from "./config";
import { endSessionUnlessOf } from "./gateway-session";
import { LoginForm } from "./LoginForm";
import { Notice } from "./Notice";

const ENDED = "Your session has ended. Log in again.";

/** The login, or the chat of whoever is logged in. */
export function App({ config }: { config: Config }) {
  const { data, isPending, error, refetch } = authClient.useSession();
  const [word, setWord] = useState<string | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const user = data?.user ?? null;
  const userId = user?.id ?? null;
  const [lastUser, setLastUser] = useState<string | null>(null);
  const isKnown = !isPending && !error;

  // That nobody is logged in any more was somebody's wish, or is told.
  if (isKnown && userId !== lastUser) {
    setLastUser(userId);
    if (userId) setWord(null);
    else if (lastUser) setWord((said) => said ?? ENDED);
  }

  useEffect(() => {
    if (isKnown) void endSessionUnlessOf(userId, config.gateway);
  }, [isKnown, userId, config]);

  const onLoginEnded = useCallback(() => {
    setWord(ENDED);
    void refetch();
  }, [refetch]);

  async function logOut() {
    setProblem(null);
    const { error } = await authClient.signOut().catch(() => ({ error: {} }));
    if (error) setProblem("You are still logged in: the server cannot be reached.");
    else setWord("You are logged out.");
  }

  if (!user && isPending) return <p className="word">One moment …</p>;
  if (!user && error) {
    return (
      <main className="login">
        <div className="word">
          <Notice text="The server cannot be reached." />
          <button className="primary" onClick={() => void refetch()}>
            Try again
          </button>
        </div>
      </main>
    );
  }
  // With a key, so that what was said to one who came back is not said for ever.
  if (!user) return <LoginForm key={word} word={word} />;
  return (
    <div className="app">
      <header>
        <strong>Tasks and talk</strong>
        <span className="who">{user.name}</span>
        <button onClick={() => void logOut()}>Log out</button>
      </header>
      <Notice text={problem} />
      <main className="stage">
        <Chat key={user.id} config={config} user={user.id} onLoginEnded={onLoginEnded} />
      </main>
    </div>
  );
}

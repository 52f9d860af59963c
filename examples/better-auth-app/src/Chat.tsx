import type { ChatKitFetch } from "chatkit-gateway";
import { useCallback, useEffect, useMemo, useState } from "react";

import type { Config } from "./config";
import { GatewayChat } from "./GatewayChat";
import { createGatewayFetch } from "./gateway-session";
import { keepLastThread, readLastThread } from "./last-thread";
import { loadChatKit } from "./load-chatkit";
import { OpenAiChat } from "./OpenAiChat";

/** What a client needs. All of it stays the same for as long as the user does. */
export interface ChatProps {
  config: Config;
  /** Better Auth's id of who is logged in. */
  user: string;
  gatewayFetch: ChatKitFetch;
  /** The thread to begin with; null is a new one. */
  thread: string | null;
  onThreadChange(thread: string | null): void;
  onLoginEnded(): void;
  /** Tells by `change` when the connection of an answer is lost or back. */
  connection: EventTarget;
}

/** The chat of one user: ChatKit, or where that cannot be had, the gateway's own client. */
export function Chat(props: { config: Config; user: string; onLoginEnded(): void }) {
  const { config, user, onLoginEnded } = props;
  const [client, setClient] = useState<"chatkit" | "own" | null>(
    config.client === "own" ? "own" : null,
  );
  const [isMissing, setIsMissing] = useState(false);
  const [thread] = useState(() => readLastThread(user));
  const connection = useMemo(() => new EventTarget(), []);
  const gatewayFetch = useMemo(
    () =>
      createGatewayFetch({
        gateway: config.gateway,
        user,
        onLoginEnded,
        onConnection: (detail) => connection.dispatchEvent(new CustomEvent("change", { detail })),
      }),
    [config, user, onLoginEnded, connection],
  );
  const onThreadChange = useCallback(
    (thread: string | null) => keepLastThread(user, thread),
    [user],
  );

  useEffect(() => {
    if (config.client === "own") return;
    let isGone = false;
    const without = () => {
      if (isGone) return;
      if (config.client === "auto") setClient("own");
      else setIsMissing(true);
    };
    loadChatKit().then(() => isGone || setClient("chatkit"), without);
    return () => {
      isGone = true;
    };
  }, [config]);

  // Nothing of this user is sent as the next one; answers that are under way go on.
  useEffect(() => () => gatewayFetch.forget(), [gatewayFetch]);

  const shared = { config, user, gatewayFetch, thread, onThreadChange, onLoginEnded, connection };
  if (isMissing) return <p className="word">ChatKit cannot be loaded from OpenAI. Reload to try again.</p>;
  if (client === null) return <p className="word">Loading the chat …</p>;
  return client === "chatkit" ? <OpenAiChat {...shared} /> : <GatewayChat {...shared} />;
}

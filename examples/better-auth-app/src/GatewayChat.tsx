import { useEffect, useRef, useState } from "react";

import { ACCENT, GREETING, START_PROMPTS } from "./chat-options";
import type { ChatProps } from "./Chat";
import { keepDraft, takeDraft } from "./drafts";
import { Notice } from "./Notice";

/** The gateway's web component, as far as it is used here; all of it stands in web/client/element.js. */
interface GatewayElement extends HTMLElement {
  configure(options: Record<string, unknown>): void;
  /** What was written and has not been sent. */
  readonly draft: string;
  setConnection(change: { state: "lost" | "restored" }): void;
}

/** The gateway's own client, in the place of ChatKit's element and with the same options. */
export function GatewayChat({ config, gatewayFetch, thread, ...props }: ChatProps) {
  const place = useRef<HTMLDivElement>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const { user, onThreadChange, onLoginEnded, connection } = props;

  useEffect(() => {
    let isGone = false;
    let element: GatewayElement | null = null;
    const show = async () => {
      await import(/* @vite-ignore */ `${config.gateway}/client.js`);
      if (isGone || !place.current) return;
      element = document.createElement("chatkit-gateway-chat") as GatewayElement;
      element.className = "chat";
      place.current.replaceChildren(element);
      element.configure({
        fetch: gatewayFetch,
        url: `${config.gateway}/chatkit`,
        theme: { accent: ACCENT, colorScheme: "light" },
        thread,
        onThreadChange,
        onLoginRequired: onLoginEnded,
        greeting: GREETING,
        startPrompts: START_PROMPTS,
        draft: takeDraft(user),
      });
      connection.addEventListener("change", tell);
    };
    const tell = (event: Event) => element?.setConnection((event as CustomEvent).detail);
    show().catch(() => {
      if (!isGone) setProblem("The chat cannot be loaded. Is the gateway running? Reload to try again.");
    });
    return () => {
      isGone = true;
      connection.removeEventListener("change", tell);
      if (element) keepDraft(user, element.draft);
      place.current?.replaceChildren();
    };
  }, [config, user, gatewayFetch, thread, onThreadChange, onLoginEnded, connection]);

  return (
    <>
      <Notice text={problem} />
      <div className="place" ref={place} />
    </>
  );
}

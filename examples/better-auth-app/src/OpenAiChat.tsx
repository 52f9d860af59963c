import { ChatKit, useChatKit } from "@openai/chatkit-react";
import { useEffect, useMemo, useState } from "react";

import { ACCENT, GREETING, START_PROMPTS } from "./chat-options";
import type { ChatProps } from "./Chat";
import { Notice } from "./Notice";
import { problemOfChat } from "./refusal";

/** OpenAI's element, whose script must have been loaded. */
export function OpenAiChat({ config, gatewayFetch, thread, onThreadChange }: ChatProps) {
  const [problem, setProblem] = useState<string | null>(null);
  // ChatKit says that something went wrong, but not what: the status does.
  const watched = useMemo<typeof fetch>(
    () => async (input, init) => {
      try {
        const response = await gatewayFetch(input, init);
        setProblem(problemOfChat(response.status));
        return response;
      } catch (error) {
        const isStop = error instanceof DOMException && error.name === "AbortError";
        const { status } = error as { status?: number };
        if (!isStop) setProblem(problemOfChat(status ?? 0));
        throw error;
      }
    },
    [gatewayFetch],
  );
  const { control, fetchUpdates } = useChatKit({
    api: { url: `${config.gateway}/chatkit`, domainKey: config.domainKey, fetch: watched },
    theme: { colorScheme: "light", color: { accent: { primary: ACCENT, level: 2 } } },
    initialThread: thread,
    startScreen: { greeting: GREETING, prompts: [...START_PROMPTS] },
    threadItemActions: { feedback: true, retry: true },
    onThreadChange: ({ threadId }) => onThreadChange(threadId),
  });

  // A reload ends ChatKit's own stream; the helper knows of an answer that goes on.
  useEffect(() => {
    if (!thread) return;
    const gone = new AbortController();
    const signal = gone.signal;
    gatewayFetch.liveRun(thread, () => void fetchUpdates(), { signal }).catch(() => {});
    return () => gone.abort();
  }, [thread, gatewayFetch, fetchUpdates]);

  return (
    <>
      <Notice text={problem} />
      <ChatKit control={control} className="chat" />
    </>
  );
}

/** What the page must know of its surroundings, from `/config.json`. */
export interface Config {
  /** The gateway's origin. */
  gateway: string;
  /** `auto` is ChatKit where its script can be had, and the gateway's own client elsewhere. */
  client: "auto" | "chatkit" | "own";
  /** From OpenAI's console; any will do on a loopback address. */
  domainKey: string;
}

export async function loadConfig(): Promise<Config> {
  const response = await fetch("/config.json");
  if (!response.ok) throw new Error(`/config.json: status ${response.status}`);
  return response.json() as Promise<Config>;
}

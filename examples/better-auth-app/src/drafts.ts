/** What users had written when their login ended, until they are back; gone with the page. */
const drafts = new Map<string, string>();

export function keepDraft(user: string, text: string): void {
  if (text) drafts.set(user, text);
}

/** Answers and forgets it. */
export function takeDraft(user: string): string {
  const text = drafts.get(user) ?? "";
  drafts.delete(user);
  return text;
}

/** A sentence that a screen reader says at once; nothing for null. */
export function Notice({ text }: { text: string | null }) {
  return (
    <div role="alert" className="notice" hidden={text === null}>
      {text}
    </div>
  );
}

-- What users attach to messages; the files themselves are elsewhere. Also the client tool calls
-- that wait for their answers.

CREATE TABLE attachment (
    id uuid PRIMARY KEY,
    user_id text NOT NULL,
    -- NULL until it is sent with a message.
    conversation_id uuid REFERENCES conversation (id) ON DELETE CASCADE,
    -- The attachment as clients see it, but for its thread.
    attachment json NOT NULL,
    -- Private to the place of the files.
    metadata json,
    created_at timestamptz NOT NULL
);

-- What goes with a thread.
CREATE INDEX attachment_by_conversation ON attachment (conversation_id)
WHERE conversation_id IS NOT NULL;

-- A thread has at most a few of them, and mostly none: each new message looks.
CREATE INDEX message_pending_call ON message (conversation_id)
WHERE type = 'client_tool_call' AND item ->> 'status' = 'pending';

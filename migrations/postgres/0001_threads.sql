-- Threads and their items, in a new database or over the tables of the older system: what is there
-- is kept, what is missing is added. JSON is `json`, not `jsonb`, which reorders members and
-- rewrites numbers: widgets come back exactly as they were given.

-- The older system wrote UTC into columns without a zone.
SET LOCAL TimeZone = 'UTC';

-- A deferred check of a foreign key of the older system would stand in the way of ALTER TABLE.
SET CONSTRAINTS ALL IMMEDIATE;

CREATE TABLE IF NOT EXISTS conversation (
    id uuid PRIMARY KEY,
    user_id varchar NOT NULL,
    created_at timestamptz,
    updated_at timestamptz
);

CREATE TABLE IF NOT EXISTS message (
    id uuid PRIMARY KEY,
    conversation_id uuid NOT NULL,
    user_id varchar NOT NULL,
    role varchar(20),
    content text,
    created_at timestamptz
);

-- Without zone to with zone; nothing to do in a new database.
ALTER TABLE conversation
    ALTER COLUMN created_at TYPE timestamptz,
    ALTER COLUMN updated_at TYPE timestamptz,
    ADD COLUMN IF NOT EXISTS title text,
    -- ChatKit's status object; NULL is active.
    ADD COLUMN IF NOT EXISTS status json,
    ADD COLUMN IF NOT EXISTS allowed_image_domains json,
    ADD COLUMN IF NOT EXISTS metadata json,
    ADD COLUMN IF NOT EXISTS archived_at timestamptz,
    -- Items that clients see, kept by every write.
    ADD COLUMN IF NOT EXISTS message_count bigint NOT NULL DEFAULT 0,
    -- The seq of the item inserted last; never goes down, so that a seq is never used twice.
    ADD COLUMN IF NOT EXISTS last_seq bigint NOT NULL DEFAULT 0;

ALTER TABLE message
    ALTER COLUMN created_at TYPE timestamptz,
    ADD COLUMN IF NOT EXISTS seq bigint,
    ADD COLUMN IF NOT EXISTS type text,
    -- NULL in rows of the older system, which read as messages of their role.
    ADD COLUMN IF NOT EXISTS item json,
    -- NULL is complete.
    ADD COLUMN IF NOT EXISTS status text,
    ADD COLUMN IF NOT EXISTS run_id uuid;

-- Messages without their thread get one, of the user who wrote the first of them.
INSERT INTO conversation (id, user_id, created_at, updated_at)
SELECT DISTINCT ON (message.conversation_id)
    message.conversation_id,
    message.user_id,
    min(message.created_at) OVER thread,
    max(message.created_at) OVER thread
FROM message
LEFT JOIN conversation ON conversation.id = message.conversation_id
WHERE conversation.id IS NULL
WINDOW thread AS (PARTITION BY message.conversation_id)
ORDER BY message.conversation_id, message.created_at NULLS FIRST, message.id;

UPDATE message
SET seq = numbered.seq,
    type = CASE message.role
        WHEN 'assistant' THEN 'assistant_message'
        WHEN 'tool' THEN 'task'
        WHEN 'system' THEN 'hidden_context_item'
        ELSE 'user_message'
    END
FROM (
    SELECT
        id,
        row_number() OVER (
            PARTITION BY conversation_id
            ORDER BY created_at NULLS FIRST, id
        ) AS seq
    FROM message
) AS numbered
WHERE message.id = numbered.id;

UPDATE conversation
SET message_count = counted.visible,
    last_seq = counted.last_seq,
    created_at = coalesce(conversation.created_at, counted.first_at),
    updated_at = coalesce(conversation.updated_at, counted.last_at)
FROM (
    SELECT
        conversation_id,
        count(*) FILTER (WHERE type <> 'hidden_context_item') AS visible,
        max(seq) AS last_seq,
        min(created_at) AS first_at,
        max(created_at) AS last_at
    FROM message
    GROUP BY conversation_id
) AS counted
WHERE conversation.id = counted.conversation_id;

UPDATE conversation
SET created_at = coalesce(created_at, updated_at, now()),
    updated_at = coalesce(updated_at, created_at, now())
WHERE created_at IS NULL OR updated_at IS NULL;

UPDATE message
SET created_at = conversation.created_at
FROM conversation
WHERE conversation.id = message.conversation_id
  AND message.created_at IS NULL;

ALTER TABLE conversation
    ALTER COLUMN created_at SET NOT NULL,
    ALTER COLUMN updated_at SET NOT NULL;

ALTER TABLE message
    ALTER COLUMN created_at SET NOT NULL,
    ALTER COLUMN seq SET NOT NULL,
    ALTER COLUMN type SET NOT NULL,
    -- The order of a thread; also the index behind every read of its items.
    ADD CONSTRAINT message_seq_unique UNIQUE (conversation_id, seq),
    -- Cannot fail: every thread that is referred to was made above.
    ADD CONSTRAINT message_in_conversation
        FOREIGN KEY (conversation_id) REFERENCES conversation (id) ON DELETE CASCADE;

-- A user's threads by their last change: the list of threads, page by page.
CREATE INDEX conversation_by_user ON conversation (user_id, updated_at, id);

CREATE TABLE feedback (
    message_id uuid PRIMARY KEY REFERENCES message (id) ON DELETE CASCADE,
    user_id text NOT NULL,
    kind text NOT NULL,
    created_at timestamptz NOT NULL
);

-- Threads and their items. Ids are UUIDs as hyphenated text, times are microseconds since 1970 in
-- UTC, JSON is text exactly as it was given.

CREATE TABLE conversation (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    title TEXT,
    -- ChatKit's status object; NULL is active.
    status TEXT,
    allowed_image_domains TEXT,
    metadata TEXT,
    archived_at INTEGER,
    -- Items that clients see, kept by every write.
    message_count INTEGER NOT NULL DEFAULT 0,
    -- The seq of the item inserted last; never goes down, so that a seq is never used twice.
    last_seq INTEGER NOT NULL DEFAULT 0
) STRICT;

-- A user's threads by their last change: the list of threads, page by page.
CREATE INDEX conversation_by_user ON conversation (user_id, updated_at, id);

CREATE TABLE message (
    id TEXT NOT NULL PRIMARY KEY,
    conversation_id TEXT NOT NULL REFERENCES conversation (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL,
    role TEXT,
    -- The item's plain text, for readers without ChatKit.
    content TEXT,
    created_at INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    type TEXT NOT NULL,
    -- NULL in rows of the older system, which reads as a message of its role.
    item TEXT,
    -- NULL is complete.
    status TEXT,
    run_id TEXT,
    -- The order of a thread; also the index behind every read of its items.
    CONSTRAINT message_seq_unique UNIQUE (conversation_id, seq)
) STRICT;

CREATE TABLE feedback (
    message_id TEXT NOT NULL PRIMARY KEY REFERENCES message (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

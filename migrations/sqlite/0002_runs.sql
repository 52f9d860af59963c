-- Runs, what they leave while they are under way, and the keys that make a retried POST safe.

CREATE TABLE run (
    id TEXT NOT NULL PRIMARY KEY,
    conversation_id TEXT NOT NULL REFERENCES conversation (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL,
    status TEXT NOT NULL,
    lease_owner TEXT NOT NULL,
    lease_token INTEGER NOT NULL,
    lease_until INTEGER NOT NULL,
    cancel_requested_at INTEGER,
    error TEXT,
    usage TEXT,
    created_at INTEGER NOT NULL,
    ended_at INTEGER
) STRICT;

-- One thread, one run: the promise itself. Also finds a thread's active run and, being small, the
-- runs that a dead process left.
CREATE UNIQUE INDEX run_one_active ON run (conversation_id) WHERE status IN ('queued', 'running');

-- All runs of a thread, for its deletion.
CREATE INDEX run_by_conversation ON run (conversation_id);

-- Runs by their end, for the upkeep that deletes old events.
CREATE INDEX run_by_end ON run (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE run_event (
    run_id TEXT NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    first_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    payload TEXT NOT NULL,
    -- By the last number, because readers ask for what ends above their position.
    PRIMARY KEY (run_id, last_seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE tool_call (
    run_id TEXT NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    turn INTEGER NOT NULL,
    item_id TEXT NOT NULL,
    call_id TEXT NOT NULL,
    name TEXT NOT NULL,
    arguments TEXT NOT NULL,
    state TEXT NOT NULL,
    output TEXT,
    PRIMARY KEY (run_id, position)
) STRICT, WITHOUT ROWID;

-- The tool calls of a history's items.
CREATE INDEX tool_call_by_item ON tool_call (item_id);

-- No foreign keys: a key outlives its thread, so that a POST retried after the thread's deletion
-- is not taken for a new one.
CREATE TABLE idempotency_key (
    user_id TEXT NOT NULL,
    route TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    run_id TEXT NOT NULL,
    conversation_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (user_id, route, key)
) STRICT, WITHOUT ROWID;

-- Keys by age, for the upkeep.
CREATE INDEX idempotency_key_by_age ON idempotency_key (created_at);

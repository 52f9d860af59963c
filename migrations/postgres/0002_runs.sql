-- Runs, what they leave while they are under way, and the keys that make a retried POST safe.

CREATE TABLE run (
    id uuid PRIMARY KEY,
    conversation_id uuid NOT NULL REFERENCES conversation (id) ON DELETE CASCADE,
    user_id text NOT NULL,
    status text NOT NULL,
    lease_owner text NOT NULL,
    lease_token bigint NOT NULL,
    lease_until timestamptz NOT NULL,
    cancel_requested_at timestamptz,
    error json,
    usage json,
    created_at timestamptz NOT NULL,
    ended_at timestamptz
);

-- One thread, one run: the promise itself. Also finds a thread's active run and, being small, the
-- runs that a dead process left.
CREATE UNIQUE INDEX run_one_active ON run (conversation_id) WHERE status IN ('queued', 'running');

-- All runs of a thread, for its deletion.
CREATE INDEX run_by_conversation ON run (conversation_id);

-- Runs by their end, for the upkeep that deletes old events.
CREATE INDEX run_by_end ON run (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE run_event (
    run_id uuid NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    first_seq bigint NOT NULL,
    last_seq bigint NOT NULL,
    payload text NOT NULL,
    -- By the last number, because readers ask for what ends above their position.
    PRIMARY KEY (run_id, last_seq)
);

CREATE TABLE tool_call (
    run_id uuid NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    position bigint NOT NULL,
    turn bigint NOT NULL,
    item_id uuid NOT NULL,
    call_id text NOT NULL,
    name text NOT NULL,
    arguments text NOT NULL,
    state text NOT NULL,
    output text,
    PRIMARY KEY (run_id, position)
);

-- The tool calls of a history's items.
CREATE INDEX tool_call_by_item ON tool_call (item_id);

-- No foreign keys: a key outlives its thread, so that a POST retried after the thread's deletion
-- is not taken for a new one.
CREATE TABLE idempotency_key (
    user_id text NOT NULL,
    route text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    run_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, route, key)
);

-- Keys by age, for the upkeep.
CREATE INDEX idempotency_key_by_age ON idempotency_key (created_at);

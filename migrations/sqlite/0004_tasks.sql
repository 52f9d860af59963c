-- The to-do list that the tools work on. AUTOINCREMENT, because a number that a model remembers
-- must never come to mean another task.

CREATE TABLE task (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id TEXT NOT NULL,
    title TEXT NOT NULL,
    description TEXT,
    completed INTEGER NOT NULL DEFAULT 0 CHECK (completed IN (0, 1)),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

-- A user's tasks, oldest first.
CREATE INDEX task_by_user ON task (user_id, created_at, id);

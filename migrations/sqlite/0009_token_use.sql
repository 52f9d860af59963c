-- Tokens that models used, by the day (UTC, as 2026-11-24) on which the run ended: of each user, and of
-- all together under the empty name. Written only where tokens a day are limited.

CREATE TABLE token_use (
    day TEXT NOT NULL,
    user_id TEXT NOT NULL,
    tokens INTEGER NOT NULL,
    PRIMARY KEY (day, user_id)
) STRICT, WITHOUT ROWID;

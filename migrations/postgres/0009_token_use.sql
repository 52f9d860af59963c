-- Tokens that models used, by the day (UTC) on which the run ended: of each user, and of all together
-- under the empty name. Written only where tokens a day are limited.

CREATE TABLE token_use (
    day date NOT NULL,
    user_id text NOT NULL,
    tokens bigint NOT NULL,
    PRIMARY KEY (day, user_id)
);

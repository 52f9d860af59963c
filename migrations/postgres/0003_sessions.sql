-- Login sessions: which token of each is the current one, and which sessions were ended.

CREATE TABLE chatkit_session (
    sid text PRIMARY KEY,
    user_id text NOT NULL,
    auth_time timestamptz NOT NULL,
    current_jti text NOT NULL,
    previous_jti text,
    rotated_at timestamptz NOT NULL,
    revoked_at timestamptz
);

-- Every instance asks for what was revoked lately, every few seconds.
CREATE INDEX chatkit_session_revoked ON chatkit_session (revoked_at) WHERE revoked_at IS NOT NULL;

-- Sessions by age, for the upkeep.
CREATE INDEX chatkit_session_by_age ON chatkit_session (rotated_at);

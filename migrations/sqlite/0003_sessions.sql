-- Login sessions: which token of each is the current one, and which sessions were ended.

CREATE TABLE chatkit_session (
    sid TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL,
    auth_time INTEGER NOT NULL,
    current_jti TEXT NOT NULL,
    previous_jti TEXT,
    rotated_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT;

-- Every instance asks for what was revoked lately, every few seconds.
CREATE INDEX chatkit_session_revoked ON chatkit_session (revoked_at) WHERE revoked_at IS NOT NULL;

-- Sessions by age, for the upkeep.
CREATE INDEX chatkit_session_by_age ON chatkit_session (rotated_at);

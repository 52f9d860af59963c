-- Calls of tools that wait for the user. There are few at a time, and each new message of the user
-- gives up those of its thread.

CREATE INDEX tool_call_waiting ON tool_call (run_id) WHERE state = 'waiting';

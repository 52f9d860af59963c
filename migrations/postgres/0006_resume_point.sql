-- Where another process can go on with a run, instead of interrupting it. Gone with the run's end.

ALTER TABLE run ADD COLUMN resume_point text;

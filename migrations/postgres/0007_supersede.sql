-- When another instance last asked a run's own one to give it up, should nobody watch it.

ALTER TABLE run ADD COLUMN supersede_requested_at timestamptz;

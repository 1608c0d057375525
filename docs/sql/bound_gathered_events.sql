-- bound_gathered_events
-- Promise that the default partition holds these months alone, which is validated apart
-- halo_engine/retention/months.py
ALTER TABLE events_default
DROP CONSTRAINT IF EXISTS gathered;


ALTER TABLE events_default ADD CONSTRAINT gathered CHECK (created_at >= '2026-01-01 00:00:00+00:00'
                                                          AND created_at < '2026-01-01 00:00:00+00:00') NOT VALID;

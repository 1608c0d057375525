-- validate_gathered_events
-- halo_engine/retention/months.py

SET LOCAL statement_timeout = 0;

ALTER TABLE events_default VALIDATE CONSTRAINT gathered;

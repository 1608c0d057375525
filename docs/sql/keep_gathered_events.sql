-- keep_gathered_events
-- Make the default partition that of its months, and a new one
-- halo_engine/retention/months.py
LOCK TABLE organizations,
           end_users IN ACCESS EXCLUSIVE MODE;


ALTER TABLE events DETACH PARTITION events_default;


ALTER TABLE events_default RENAME TO events_2026_01_on;


ALTER TABLE events ATTACH PARTITION events_2026_01_on
FOR
VALUES FROM ('2026-01-01 00:00:00+00:00') TO ('2026-01-01 00:00:00+00:00');


ALTER TABLE events_2026_01_on
DROP CONSTRAINT gathered;


CREATE TABLE events_default (LIKE events INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING
                             STORAGE);


ALTER TABLE events ATTACH PARTITION events_default DEFAULT;

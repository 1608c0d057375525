-- keep_earlier_events
-- Make what is from before the first month a partition of its own
-- halo_engine/retention/months.py
LOCK TABLE organizations,
           end_users IN SHARE ROW EXCLUSIVE MODE;


CREATE TABLE events_before_2026_01 (LIKE events INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING
                                    STORAGE);


INSERT INTO events_before_2026_01
SELECT *
FROM events_default
WHERE created_at < '2026-01-01 00:00:00+00:00';


DELETE
FROM events_default
WHERE created_at < '2026-01-01 00:00:00+00:00';


ALTER TABLE events ATTACH PARTITION events_before_2026_01
FOR
VALUES FROM (MINVALUE) TO ('2026-01-01 00:00:00+00:00');

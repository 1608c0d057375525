-- make_month
-- Make a partition; what its foreign keys refer to is locked as well, at once
-- halo_engine/retention/months.py
LOCK TABLE organizations,
           end_users IN SHARE ROW EXCLUSIVE MODE;


CREATE TABLE events_2026_01 (LIKE events INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING
                             STORAGE);


ALTER TABLE events ATTACH PARTITION events_2026_01
FOR
VALUES FROM ('2026-01-01 00:00:00+00:00') TO ('2026-01-01 00:00:00+00:00');

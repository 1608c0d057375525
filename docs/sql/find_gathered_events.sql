-- find_gathered_events
-- halo_engine/retention/months.py
SELECT min(created_at),
       max(created_at)
FROM events_default;

-- drop_month
-- halo_engine/retention/months.py
DROP TABLE events_2026_01;

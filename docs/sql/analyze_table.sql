-- analyze_table
-- halo_engine/sql/statistics.py
ANALYZE (SKIP_LOCKED) end_users;

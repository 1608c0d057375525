-- drop_trigger
-- halo_engine/moving/watching.py
DROP TRIGGER IF EXISTS moving_1 ON end_users;

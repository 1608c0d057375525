-- stop_being_mover
-- halo_engine/moving/places.py
-- Parameters: lock_key integer
SELECT CAST(pg_advisory_unlock(11::INTEGER, :lock_key::INTEGER) AS TEXT) AS pg_advisory_unlock_1;

-- try_to_be_mover
-- halo_engine/moving/places.py
-- Parameters: lock_key integer
SELECT pg_try_advisory_lock(11::INTEGER, :lock_key::INTEGER) AS pg_try_advisory_lock_1;

-- act_as_replica
-- halo_engine/moving/places.py
SELECT set_config('session_replication_role'::VARCHAR, 'replica'::VARCHAR, true) AS set_config_1;

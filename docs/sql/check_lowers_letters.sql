-- check_lowers_letters
-- halo_engine/migrate.py
SELECT lower('ABCDEFGHIJKLMNOPQRSTUVWXYZÀÉÑÖÜØŁŠŽÞΓΩЖЯ'::VARCHAR) = 'abcdefghijklmnopqrstuvwxyzàéñöüøłšžþγωжя'::VARCHAR AS anon_1;

-- read_last_signal
-- halo_engine/pipeline/batches/trials.py
SELECT coalesce(max(signals.id), 0::INTEGER) AS coalesce_1
FROM signals;

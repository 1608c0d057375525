-- read_signals_after
-- halo_engine/pipeline/batches/trials.py
-- Parameters: org_id uuid, signal_id bigint, contact_ids uuid[]
SELECT signals.id,
       signals.end_user_id
FROM signals
WHERE signals.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND signals.id > :signal_id::BIGINT
  AND signals.end_user_id = ANY (:contact_ids::UUID[])
ORDER BY signals.id;

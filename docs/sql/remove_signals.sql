-- remove_signals
-- halo_engine/pipeline/signals/inbox.py
-- Parameters: org_id uuid, signal_ids bigint[]
DELETE
FROM signals
WHERE signals.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND signals.id = ANY (:signal_ids::BIGINT[]);

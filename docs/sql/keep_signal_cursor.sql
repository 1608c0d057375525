-- keep_signal_cursor
-- halo_engine/pipeline/signals/inbox.py
-- Parameters: org_id uuid, signal_ids bigint[]
UPDATE signals
SET
cursor='{}'::JSONB,
       attempts=0::SMALLINT
WHERE signals.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND signals.id = ANY (:signal_ids::BIGINT[]);

-- find_parked_among
-- halo_engine/answers/operations/parked.py
-- Parameters: org_id uuid, row_ids bigint[]
SELECT signals.id
FROM signals
WHERE signals.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND signals.parked_at IS NOT NULL
  AND signals.id = ANY (:row_ids::BIGINT[]);

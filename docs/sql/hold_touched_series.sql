-- hold_touched_series
-- halo_engine/series/completion.py
-- Parameters: org_id uuid, series_ids uuid[]
SELECT automations.id
FROM automations
WHERE automations.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automations.id = ANY (:series_ids::UUID[])
ORDER BY automations.id
FOR NO KEY
UPDATE;

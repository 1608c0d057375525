-- sweep_confirmations
-- halo_engine/contacts/consent/pending.py
-- Parameters: org_id uuid, limit integer
DELETE
FROM confirmations
WHERE confirmations.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND confirmations.id IN
    (SELECT confirmations.id
     FROM confirmations
     WHERE confirmations.org_id =
         (SELECT :org_id::UUID AS anon_2)
       AND confirmations.asked_at < '2025-12-02 01:00:00+00:00'::TIMESTAMP WITH TIME ZONE
     ORDER BY confirmations.id
     LIMIT :limit::INTEGER);

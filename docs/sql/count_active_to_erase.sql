-- count_active_to_erase
-- halo_engine/contacts/erasure/batches.py
-- Parameters: org_id uuid, contact_ids uuid[]
SELECT automations.key,
       count(*) AS contacts
FROM automations
JOIN automation_enrollments ON automation_enrollments.org_id = automations.org_id
AND automation_enrollments.automation_id = automations.id
WHERE automation_enrollments.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automation_enrollments.end_user_id = ANY (:contact_ids::UUID[])
  AND automation_enrollments.ended_at IS NULL
GROUP BY automations.key
ORDER BY automations.key;

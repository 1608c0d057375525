-- count_sent_of
-- halo_engine/answers/reports/overview.py
-- Parameters: org_id uuid
SELECT messages.automation_id,
       count(messages.sent_at) AS sent
FROM messages
WHERE messages.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND messages.automation_id = ANY ('{00000000-0000-0000-0000-000000000007}'::UUID[])
GROUP BY messages.automation_id;

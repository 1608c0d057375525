-- count_sent_of
-- halo_engine/answers/reports/overview.py
-- Parameters: org_id uuid
SELECT messages.automation_id,
       count(messages.sent_at) AS sent
FROM messages
JOIN unnest('{00000000000000000000000000000007}'::UUID[]) AS anon_1(id) ON messages.automation_id = anon_1.id
WHERE messages.org_id =
    (SELECT :org_id::UUID AS anon_2)
GROUP BY messages.automation_id;

-- count_sent_of
-- Count the mails that are there and those that were deleted for their age
-- halo_engine/answers/reports/overview.py
-- Parameters: org_id uuid
SELECT "both".automation_id,
       CAST(sum("both".sent) AS BIGINT) AS sent
FROM
  (SELECT messages.automation_id AS automation_id,
          count(messages.sent_at) AS sent
   FROM messages
   WHERE messages.org_id =
       (SELECT :org_id::UUID AS anon_1)
     AND messages.automation_id = ANY ('{00000000-0000-0000-0000-000000000007}'::UUID[])
   GROUP BY messages.automation_id
   UNION ALL SELECT cleared_mails.automation_id AS automation_id,
                    cleared_mails.sent AS sent
   FROM cleared_mails
   WHERE cleared_mails.org_id =
       (SELECT :org_id::UUID AS anon_2)
     AND cleared_mails.automation_id = ANY ('{00000000-0000-0000-0000-000000000007}'::UUID[])) AS "both"
GROUP BY "both".automation_id;

-- keep_one_side_of_lead
-- Of a series that both were in, keep one side's runs, so that nobody gets it twice
-- halo_engine/contacts/stripe/lead_sides.py
-- Parameters: lead_ids uuid[], contact_ids uuid[], org_id uuid
WITH members AS
  (SELECT anon_1."user" AS owner,
          anon_1.lead AS member
   FROM unnest(:lead_ids::UUID[], :contact_ids::UUID[]) AS anon_1(lead, "user")
   UNION ALL SELECT anon_1."user" AS "user",
                    anon_1."user" AS user__1
   FROM unnest(:lead_ids::UUID[], :contact_ids::UUID[]) AS anon_1(lead, "user")),
     sides AS
  (SELECT members.owner AS owner,
          automation_enrollments.end_user_id AS end_user_id,
          automation_enrollments.automation_id AS automation_id,
          max(automation_enrollments.number) AS latest,
          row_number() OVER (PARTITION BY members.owner, automation_enrollments.automation_id
                             ORDER BY bool_or(automation_enrollments.ended_at IS NULL) DESC, min(automation_enrollments.created_at) FILTER (
                                                                                                                                            WHERE automation_enrollments.ended_at IS NULL), max(automation_enrollments.created_at) DESC) AS rank
   FROM members,
        automation_enrollments
   WHERE automation_enrollments.org_id =
       (SELECT :org_id::UUID AS anon_2)
     AND automation_enrollments.end_user_id = members.member
   GROUP BY members.owner,
            automation_enrollments.end_user_id,
            automation_enrollments.automation_id),
     counted AS
  (UPDATE messages
   SET end_user_id=sides.owner,
       enrollment_number=first.latest
   FROM sides,
        sides AS first
   WHERE messages.org_id =
       (SELECT :org_id::UUID AS anon_3)
     AND messages.end_user_id = sides.end_user_id
     AND messages.automation_id = sides.automation_id
     AND sides.rank > 1::INTEGER
     AND first.rank = 1::INTEGER
     AND first.owner = sides.owner
     AND first.automation_id = sides.automation_id RETURNING messages.recipient_id)
DELETE
FROM automation_enrollments USING sides
WHERE automation_enrollments.org_id =
    (SELECT :org_id::UUID AS anon_4)
  AND automation_enrollments.end_user_id = sides.end_user_id
  AND automation_enrollments.automation_id = sides.automation_id
  AND sides.rank > 1::INTEGER;

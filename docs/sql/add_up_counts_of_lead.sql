-- add_up_counts_of_lead
-- halo_engine/contacts/stripe/absorption.py
-- Parameters: lead_ids uuid[], contact_ids uuid[], org_id uuid
INSERT INTO event_counts (org_id, end_user_id, name, count, first_at, last_at, live_at, live_id)
SELECT event_counts.org_id,
       anon_1."user",
       event_counts.name,
       event_counts.count,
       event_counts.first_at,
       event_counts.last_at,
       event_counts.live_at,
       event_counts.live_id
FROM event_counts,
     unnest(:lead_ids::UUID[], :contact_ids::UUID[]) AS anon_1(lead, "user")
WHERE event_counts.org_id =
    (SELECT :org_id::UUID AS anon_2)
  AND event_counts.end_user_id = anon_1.lead
ORDER BY anon_1."user" ON CONFLICT (org_id,
                                    end_user_id,
                                    name) DO
UPDATE
SET count = (event_counts.count + excluded.count), first_at = least(event_counts.first_at, excluded.first_at),
                                                   last_at = greatest(event_counts.last_at, excluded.last_at),
                                                   live_at = CASE
                                                                 WHEN (excluded.live_at IS NOT NULL
                                                                       AND (event_counts.live_at IS NULL
                                                                            OR (excluded.live_at,
                                                                                excluded.live_id) > (event_counts.live_at,
                                                                                                     event_counts.live_id))) THEN excluded.live_at
                                                                 ELSE event_counts.live_at
                                                             END,
                                                             live_id = CASE
                                                                           WHEN (excluded.live_at IS NOT NULL
                                                                                 AND (event_counts.live_at IS NULL
                                                                                      OR (excluded.live_at,
                                                                                          excluded.live_id) > (event_counts.live_at,
                                                                                                               event_counts.live_id))) THEN excluded.live_id
                                                                           ELSE event_counts.live_id
                                                                       END;

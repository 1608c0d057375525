-- note_bounces
-- halo_engine/mail/incoming/bounce_reports.py
-- Parameters: given_rows jsonb, org_id uuid, now timestamp with time zone
WITH given AS
  (SELECT given.ordinal AS ordinal,
          given.recipient_id AS recipient_id,
          given.reason AS reason,
          given.for_good AS for_good
   FROM jsonb_to_recordset(:given_rows::JSONB) AS given(ordinal INTEGER, recipient_id BIGINT, reason TEXT, for_good BOOLEAN)),
     returned AS
  (SELECT given.ordinal AS ordinal,
          given.recipient_id AS recipient_id,
          given.reason AS reason,
          given.for_good AS for_good,
          messages.end_user_id AS contact_id,
          lower(messages.to_address) AS address
   FROM given
   JOIN messages ON messages.org_id =
     (SELECT :org_id::UUID AS anon_1)
   AND messages.recipient_id = given.recipient_id),
     reported AS
  (INSERT INTO bounce_reports (org_id, recipient_id, reason, for_good, reported_at) SELECT
     (SELECT :org_id::UUID AS anon_1) AS anon_1,
                                                                                           returned.recipient_id AS recipient_id,
                                                                                           returned.reason AS reason,
                                                                                           returned.for_good AS for_good,
                                                                                           coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) AS coalesce_1
   FROM returned
   ORDER BY returned.ordinal),
     gone AS
  (SELECT returned.ordinal AS ordinal,
          returned.recipient_id AS recipient_id,
          returned.reason AS reason,
          returned.for_good AS for_good,
          returned.contact_id AS contact_id,
          returned.address AS address
   FROM returned
   WHERE returned.for_good
     OR returned.reason = 'mailbox_full'::VARCHAR
     AND
       (SELECT count(*) >= 4::INTEGER
        AND min(bounce_reports.reported_at) <= coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) - INTERVAL '30 days 0 seconds' AS anon_2
        FROM messages AS earlier
        JOIN bounce_reports ON bounce_reports.org_id =
          (SELECT :org_id::UUID AS anon_1)
        AND bounce_reports.recipient_id = earlier.recipient_id
        WHERE earlier.org_id =
            (SELECT :org_id::UUID AS anon_1)
          AND earlier.end_user_id = returned.contact_id
          AND lower(earlier.to_address) = returned.address
          AND bounce_reports.reason = 'mailbox_full'::VARCHAR
          AND bounce_reports.forgiven_at IS NULL)),
     suppressed AS
  (INSERT INTO suppressions (org_id, address, bounced_at) SELECT DISTINCT
     (SELECT :org_id::UUID AS anon_1) AS anon_1,
                                                                          gone.address AS address,
                                                                          coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) AS bounced_at
   FROM gone
   WHERE gone.address IS NOT NULL
   ORDER BY gone.address ON CONFLICT (org_id,
                                      address) DO UPDATE
   SET bounced_at = coalesce(suppressions.bounced_at, excluded.bounced_at)),
     concerned AS
  (SELECT gone.ordinal AS ordinal,
          end_users.id AS contact_id
   FROM gone
   JOIN end_users ON end_users.org_id =
     (SELECT :org_id::UUID AS anon_1)
   AND end_users.address = gone.address),
     told AS
  (INSERT INTO signals (org_id, kind, end_user_id, changed, happened_at, created_at) SELECT
     (SELECT :org_id::UUID AS anon_1) AS anon_1,
                                                                                            'silent'::VARCHAR AS anon_3,
                                                                                            concerned.contact_id AS contact_id, ARRAY['suppression'::VARCHAR] AS anon_4,
                                                                                                                                     coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) AS coalesce_1,
                                                                                                                                     coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) AS coalesce__1
   FROM concerned
   ORDER BY concerned.ordinal,
            concerned.contact_id RETURNING signals.id)
SELECT gone.recipient_id
FROM gone
ORDER BY gone.ordinal;

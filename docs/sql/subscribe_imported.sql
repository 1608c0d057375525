-- subscribe_imported
-- Return the statement that adds contacts to lists; its rows are those that it keeps out
-- halo_engine/contacts/csv_import/lists.py
-- Parameters: given_rows jsonb, org_id uuid, now timestamp with time zone
WITH given AS
  (SELECT given.ordinal AS ordinal,
          given.contact_id AS contact_id,
          given.list AS list
   FROM jsonb_to_recordset(:given_rows::JSONB) AS given(ordinal INTEGER, contact_id UUID, list TEXT)),
     found AS
  (SELECT given.ordinal AS ordinal,
          given.contact_id AS contact_id,
          given.list AS list,
          end_users.address AS address,
          subscriptions.id AS list_id
   FROM given
   JOIN end_users ON end_users.org_id =
     (SELECT :org_id::UUID AS anon_1)
   AND end_users.id = given.contact_id
   LEFT OUTER JOIN subscriptions ON subscriptions.org_id =
     (SELECT :org_id::UUID AS anon_1)
   AND subscriptions.key = given.list), joined_rows AS
  (SELECT found.ordinal AS ordinal,
          found.contact_id AS contact_id,
          found.list AS list,
          found.address AS address,
          found.list_id AS list_id
   FROM found
   WHERE NOT coalesce(EXISTS
                        (SELECT *
                         FROM suppressions
                         WHERE suppressions.org_id =
                             (SELECT :org_id::UUID AS anon_1)
                           AND suppressions.address = found.address
                           AND suppressions.unsubscribed_at IS NOT NULL), false)),
                                        no_longer_pending AS
  (DELETE
   FROM pending_members USING joined_rows
   WHERE pending_members.org_id =
       (SELECT :org_id::UUID AS anon_1)
     AND pending_members.end_user_id = joined_rows.contact_id
     AND pending_members.subscription_id = joined_rows.list_id),
                                        joined AS
  (INSERT INTO subscription_members (org_id, end_user_id, subscription_id, subscribed_at) SELECT
     (SELECT :org_id::UUID AS anon_1) AS anon_1,
                                                                                                 joined_rows.contact_id AS contact_id,
                                                                                                 joined_rows.list_id AS list_id,
                                                                                                 coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) AS coalesce_2
   FROM joined_rows
   WHERE joined_rows.list_id IS NOT NULL
   ORDER BY joined_rows.contact_id,
            joined_rows.list_id ON CONFLICT DO NOTHING RETURNING subscription_members.end_user_id),
                                        concerned AS
  (SELECT DISTINCT 0::INTEGER AS ordinal,
                   joined.end_user_id AS contact_id
   FROM joined),
                                        told AS
  (INSERT INTO signals (org_id, kind, end_user_id, changed, happened_at, created_at) SELECT
     (SELECT :org_id::UUID AS anon_1) AS anon_1,
                                                                                            'silent'::VARCHAR AS anon_2,
                                                                                            concerned.contact_id AS contact_id, ARRAY['list'::VARCHAR] AS anon_3,
                                                                                                                                     coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) AS coalesce_2,
                                                                                                                                     coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) AS coalesce__1
   FROM concerned
   ORDER BY concerned.ordinal,
            concerned.contact_id RETURNING signals.id)
SELECT found.ordinal
FROM found
WHERE coalesce(EXISTS
                 (SELECT *
                  FROM suppressions
                  WHERE suppressions.org_id =
                      (SELECT :org_id::UUID AS anon_1)
                    AND suppressions.address = found.address
                    AND suppressions.unsubscribed_at IS NOT NULL), false);

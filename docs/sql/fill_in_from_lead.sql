-- fill_in_from_lead
-- Give the user the lead's values where it has none of its own
-- halo_engine/contacts/stripe/absorption.py
-- Parameters: now timestamp with time zone, lead_ids uuid[], contact_ids uuid[], org_id uuid
UPDATE end_users
SET email=coalesce(end_users.email, lead.email),
    name=coalesce(end_users.name, lead.name),
    signed_up_at=coalesce(end_users.signed_up_at, lead.signed_up_at),
    renewal_date=coalesce(end_users.renewal_date, lead.renewal_date),
    renewal_status=coalesce(end_users.renewal_status, lead.renewal_status),
    contract_term=coalesce(end_users.contract_term, lead.contract_term),
    payment_terms=coalesce(end_users.payment_terms, lead.payment_terms),
    on_contract=coalesce(end_users.on_contract, lead.on_contract),
    mrr=coalesce(end_users.mrr, lead.mrr),
    arr=coalesce(end_users.arr, lead.arr),
    custom_fields=CASE
                      WHEN (CASE
                                WHEN (octet_length(CAST(lead.custom_fields || end_users.custom_fields AS TEXT)) + octet_length(CAST(lead.context || end_users.context AS TEXT)) > 400000::INTEGER) THEN CASE
                                                                                                                                                                                                            WHEN (coalesce(octet_length(regexp_replace(nullif(CAST(lead.custom_fields || end_users.custom_fields AS TEXT), '{}'::VARCHAR), '("(?:[^"\\]|\\.)*")| ', '\1', 'g'::VARCHAR)), 0::INTEGER) + coalesce(octet_length(regexp_replace(nullif(CAST(lead.context || end_users.context AS TEXT), '{}'::VARCHAR), '("(?:[^"\\]|\\.)*")| ', '\1', 'g'::VARCHAR)), 0::INTEGER) > greatest(400000::INTEGER, coalesce(coalesce(octet_length(regexp_replace(nullif(CAST(end_users.custom_fields AS TEXT), '{}'::VARCHAR), '("(?:[^"\\]|\\.)*")| ', '\1', 'g'::VARCHAR)), 0::INTEGER) + coalesce(octet_length(regexp_replace(nullif(CAST(end_users.context AS TEXT), '{}'::VARCHAR), '("(?:[^"\\]|\\.)*")| ', '\1', 'g'::VARCHAR)), 0::INTEGER), 0::INTEGER))) THEN coalesce(octet_length(regexp_replace(nullif(CAST(lead.custom_fields || end_users.custom_fields AS TEXT), '{}'::VARCHAR), '("(?:[^"\\]|\\.)*")| ', '\1', 'g'::VARCHAR)), 0::INTEGER) + coalesce(octet_length(regexp_replace(nullif(CAST(lead.context || end_users.context AS TEXT), '{}'::VARCHAR), '("(?:[^"\\]|\\.)*")| ', '\1', 'g'::VARCHAR)), 0::INTEGER)
                                                                                                                                                                                                        END
                                ELSE CAST(NULL AS INTEGER)
                            END IS NOT NULL) THEN coalesce(
                                                             (SELECT jsonb_object_agg(sized.key, sized.value) AS jsonb_object_agg_1
                                                              FROM
                                                                (SELECT lacked.document AS document, lacked.key AS key, lacked.value AS value, sum(coalesce(octet_length(regexp_replace(nullif(CAST(jsonb_build_object(lacked.key, lacked.value) AS TEXT), '{}'::VARCHAR), '("(?:[^"\\]|\\.)*")| ', '\1', 'g'::VARCHAR)), 0::INTEGER)) OVER (
                                                                                                                                                                                                                                                                                                                                             ORDER BY coalesce(octet_length(regexp_replace(nullif(CAST(jsonb_build_object(lacked.key, lacked.value) AS TEXT), '{}'::VARCHAR), '("(?:[^"\\]|\\.)*")| ', '\1', 'g'::VARCHAR)), 0::INTEGER), lacked.document, lacked.key) AS all_so_far
                                                                 FROM
                                                                   (SELECT 'custom_fields'::VARCHAR AS document, each.key AS key, each.value AS value
                                                                    FROM jsonb_each(lead.custom_fields -
                                                                                      (SELECT coalesce(array_agg(known.key), '{}'::text[]) AS coalesce_7
                                                                                       FROM jsonb_each(end_users.custom_fields) AS known)) AS each
                                                                    UNION ALL SELECT 'context'::VARCHAR AS document, each.key AS key, each.value AS value
                                                                    FROM jsonb_each(lead.context -
                                                                                      (SELECT coalesce(array_agg(known.key), '{}'::text[]) AS coalesce_8
                                                                                       FROM jsonb_each(end_users.context) AS known)) AS each) AS lacked) AS sized
                                                              WHERE sized.document = 'custom_fields'::VARCHAR
                                                                AND sized.all_so_far <= 400000::INTEGER - (coalesce(octet_length(regexp_replace(nullif(CAST(end_users.custom_fields AS TEXT), '{}'::VARCHAR), '("(?:[^"\\]|\\.)*")| ', '\1', 'g'::VARCHAR)), 0::INTEGER) + coalesce(octet_length(regexp_replace(nullif(CAST(end_users.context AS TEXT), '{}'::VARCHAR), '("(?:[^"\\]|\\.)*")| ', '\1', 'g'::VARCHAR)), 0::INTEGER))) || end_users.custom_fields, end_users.custom_fields)
                      ELSE lead.custom_fields || end_users.custom_fields
                  END,
                  field_times=coalesce(
                                         (SELECT jsonb_object_agg(latest_notes.key, latest_notes.at) AS jsonb_object_agg_2
                                          FROM
                                            (SELECT both_notes.key AS key, max(both_notes.at) AS at
                                             FROM
                                               (SELECT one.key AS key, CAST(one.value AS BIGINT) AS at
                                                FROM jsonb_each_text(end_users.field_times) AS one
                                                UNION ALL SELECT other.key AS key, CAST(other.value AS BIGINT) AS at
                                                FROM jsonb_each_text(lead.field_times) AS other) AS both_notes
                                             GROUP BY both_notes.key) AS latest_notes), '{}'::jsonb),
                  context=CASE
                              WHEN (CASE
                                        WHEN (octet_length(CAST(lead.custom_fields || end_users.custom_fields AS TEXT)) + octet_length(CAST(lead.context || end_users.context AS TEXT)) > 400000::INTEGER) THEN CASE
                                                                                                                                                                                                                    WHEN (coalesce(octet_length(regexp_replace(nullif(CAST(lead.custom_fields || end_users.custom_fields AS TEXT), '{}'::VARCHAR), '("(?:[^"\\]|\\.)*")| ', '\1', 'g'::VARCHAR)), 0::INTEGER) + coalesce(octet_length(regexp_replace(nullif(CAST(lead.context || end_users.context AS TEXT), '{}'::VARCHAR), '("(?:[^"\\]|\\.)*")| ', '\1', 'g'::VARCHAR)), 0::INTEGER) > greatest(400000::INTEGER, coalesce(coalesce(octet_length(regexp_replace(nullif(CAST(end_users.custom_fields AS TEXT), '{}'::VARCHAR), '("(?:[^"\\]|\\.)*")| ', '\1', 'g'::VARCHAR)), 0::INTEGER) + coalesce(octet_length(regexp_replace(nullif(CAST(end_users.context AS TEXT), '{}'::VARCHAR), '("(?:[^"\\]|\\.)*")| ', '\1', 'g'::VARCHAR)), 0::INTEGER), 0::INTEGER))) THEN coalesce(octet_length(regexp_replace(nullif(CAST(lead.custom_fields || end_users.custom_fields AS TEXT), '{}'::VARCHAR), '("(?:[^"\\]|\\.)*")| ', '\1', 'g'::VARCHAR)), 0::INTEGER) + coalesce(octet_length(regexp_replace(nullif(CAST(lead.context || end_users.context AS TEXT), '{}'::VARCHAR), '("(?:[^"\\]|\\.)*")| ', '\1', 'g'::VARCHAR)), 0::INTEGER)
                                                                                                                                                                                                                END
                                        ELSE CAST(NULL AS INTEGER)
                                    END IS NOT NULL) THEN coalesce(
                                                                     (SELECT jsonb_object_agg(sized.key, sized.value) AS jsonb_object_agg_3
                                                                      FROM
                                                                        (SELECT lacked.document AS document, lacked.key AS key, lacked.value AS value, sum(coalesce(octet_length(regexp_replace(nullif(CAST(jsonb_build_object(lacked.key, lacked.value) AS TEXT), '{}'::VARCHAR), '("(?:[^"\\]|\\.)*")| ', '\1', 'g'::VARCHAR)), 0::INTEGER)) OVER (
                                                                                                                                                                                                                                                                                                                                                     ORDER BY coalesce(octet_length(regexp_replace(nullif(CAST(jsonb_build_object(lacked.key, lacked.value) AS TEXT), '{}'::VARCHAR), '("(?:[^"\\]|\\.)*")| ', '\1', 'g'::VARCHAR)), 0::INTEGER), lacked.document, lacked.key) AS all_so_far
                                                                         FROM
                                                                           (SELECT 'custom_fields'::VARCHAR AS document, each.key AS key, each.value AS value
                                                                            FROM jsonb_each(lead.custom_fields -
                                                                                              (SELECT coalesce(array_agg(known.key), '{}'::text[]) AS coalesce_7
                                                                                               FROM jsonb_each(end_users.custom_fields) AS known)) AS each
                                                                            UNION ALL SELECT 'context'::VARCHAR AS document, each.key AS key, each.value AS value
                                                                            FROM jsonb_each(lead.context -
                                                                                              (SELECT coalesce(array_agg(known.key), '{}'::text[]) AS coalesce_8
                                                                                               FROM jsonb_each(end_users.context) AS known)) AS each) AS lacked) AS sized
                                                                      WHERE sized.document = 'context'::VARCHAR
                                                                        AND sized.all_so_far <= 400000::INTEGER - (coalesce(octet_length(regexp_replace(nullif(CAST(end_users.custom_fields AS TEXT), '{}'::VARCHAR), '("(?:[^"\\]|\\.)*")| ', '\1', 'g'::VARCHAR)), 0::INTEGER) + coalesce(octet_length(regexp_replace(nullif(CAST(end_users.context AS TEXT), '{}'::VARCHAR), '("(?:[^"\\]|\\.)*")| ', '\1', 'g'::VARCHAR)), 0::INTEGER))) || end_users.context, end_users.context)
                              ELSE lead.context || end_users.context
                          END,
                          stripe_subscription_status=CASE
                                                         WHEN (end_users.stripe_subscription_id IS NOT NULL) THEN end_users.stripe_subscription_status
                                                         ELSE coalesce(end_users.stripe_subscription_status, lead.stripe_subscription_status)
                                                     END,
                                                     stripe_plan=CASE
                                                                     WHEN (end_users.stripe_subscription_id IS NOT NULL) THEN end_users.stripe_plan
                                                                     ELSE coalesce(end_users.stripe_plan, lead.stripe_plan)
                                                                 END,
                                                                 stripe_trial_end=CASE
                                                                                      WHEN (end_users.stripe_subscription_id IS NOT NULL) THEN end_users.stripe_trial_end
                                                                                      ELSE coalesce(end_users.stripe_trial_end, lead.stripe_trial_end)
                                                                                  END,
                                                                                  stripe_current_period_end=CASE
                                                                                                                WHEN (end_users.stripe_subscription_id IS NOT NULL) THEN end_users.stripe_current_period_end
                                                                                                                ELSE coalesce(end_users.stripe_current_period_end, lead.stripe_current_period_end)
                                                                                                            END,
                                                                                                            stripe_cancel_at_period_end=CASE
                                                                                                                                            WHEN (end_users.stripe_subscription_id IS NOT NULL) THEN end_users.stripe_cancel_at_period_end
                                                                                                                                            ELSE coalesce(end_users.stripe_cancel_at_period_end, lead.stripe_cancel_at_period_end)
                                                                                                                                        END,
                                                                                                                                        updated_at=greatest(end_users.updated_at, lead.updated_at, :now::TIMESTAMP WITH TIME ZONE),
                                                                                                                                        first_seen=least(end_users.first_seen, lead.first_seen),
                                                                                                                                        last_seen=greatest(end_users.last_seen, lead.last_seen),
                                                                                                                                        last_contacted_at=greatest(end_users.last_contacted_at, lead.last_contacted_at)
FROM unnest(:lead_ids::UUID[], :contact_ids::UUID[]) AS anon_1(lead, "user"),
     end_users AS lead
WHERE end_users.org_id =
    (SELECT :org_id::UUID AS anon_2)
  AND end_users.id = anon_1."user"
  AND lead.org_id =
    (SELECT :org_id::UUID AS anon_3)
  AND lead.id = anon_1.lead;

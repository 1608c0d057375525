-- note_passed_over
-- halo_engine/contacts/stripe/passed_over.py
-- Parameters: org_id uuid, now timestamp with time zone
INSERT INTO stripe_passed_over (org_id, why, count, latest_at)
VALUES ((SELECT :org_id::UUID AS anon_1), 'thin_event'::VARCHAR, 1::BIGINT, :now::TIMESTAMP WITH TIME ZONE) ON CONFLICT (org_id, why) DO UPDATE SET count = (stripe_passed_over.count + excluded.count), latest_at = :now::TIMESTAMP WITH TIME ZONE;

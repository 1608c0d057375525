-- keep_signals_for_later
-- halo_engine/pipeline/signals/parking.py
-- Parameters: org_id uuid, id, kind, end_user_id, company_id uuid, automation_id, changed, event_name, event_id, happened_at, created_at, cursor, attempts, parked_at, error text, retry_at, failed_at, tries
INSERT INTO signals (org_id, id, kind, end_user_id, company_id, automation_id, changed, event_name, event_id, happened_at, created_at,
                     cursor, attempts, parked_at, error, retry_at, failed_at, tries)
VALUES ((SELECT :org_id::UUID AS anon_1), :id::BIGINT, :kind::VARCHAR, :end_user_id::UUID, :company_id::UUID, :automation_id::UUID, :changed::TEXT[], :event_name::VARCHAR, :event_id::BIGINT, :happened_at::TIMESTAMP WITH TIME ZONE, :created_at::TIMESTAMP WITH TIME ZONE, :cursor::JSONB, :attempts::SMALLINT, :parked_at::TIMESTAMP WITH TIME ZONE, :error::VARCHAR, :retry_at::TIMESTAMP WITH TIME ZONE, :failed_at::TIMESTAMP WITH TIME ZONE, :tries::SMALLINT);

-- lock_waiting_calls
-- halo_engine/contacts/clients/waiting.py
-- Parameters: org_id uuid
SELECT CAST(pg_advisory_xact_lock(5::INTEGER, hashtext(CAST(
                                                              (SELECT :org_id::UUID AS anon_1) AS TEXT))) AS TEXT) AS pg_advisory_xact_lock_1;

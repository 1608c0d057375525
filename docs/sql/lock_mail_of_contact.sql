-- lock_mail_of_contact
-- halo_engine/mail/sending/capped.py
-- Parameters: lock_key integer
SELECT CAST(pg_advisory_xact_lock(8::INTEGER, :lock_key::INTEGER) AS TEXT) AS held;

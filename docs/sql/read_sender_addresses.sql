-- read_sender_addresses
-- halo_engine/mail/incoming/senders.py
SELECT DISTINCT organizations.mail_from_address
FROM organizations
WHERE organizations.mail_from_address IS NOT NULL;

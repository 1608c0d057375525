-- use_link
-- halo_engine/operators/sessions.py
-- Parameters: key_hash bytea
DELETE
FROM sign_in_links
WHERE sign_in_links.hash = :key_hash
  AND sign_in_links.expires_at > clock_timestamp() RETURNING sign_in_links.org_id;

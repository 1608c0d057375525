-- read_field_types
-- halo_engine/contacts/csv_import/importing.py
-- Parameters: org_id uuid, field_keys text[]
SELECT audience_fields.key,
       audience_fields.type
FROM audience_fields
WHERE audience_fields.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND audience_fields.entity = 'contact'::VARCHAR
  AND audience_fields.key = ANY (:field_keys::TEXT[])
  AND audience_fields.type != 'null'::VARCHAR;

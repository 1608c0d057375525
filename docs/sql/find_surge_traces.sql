-- find_surge_traces
-- halo_engine/enrollment/surges/traces.py
-- Parameters: org_id uuid, series_ids uuid[], bounds_automation_id, bounds_room, bounds_since
SELECT EXISTS
  (SELECT *
   FROM held_entries
   WHERE held_entries.org_id =
       (SELECT :org_id::UUID AS anon_1)
     AND held_entries.automation_id = ANY (:series_ids::UUID[])) AS held,
              EXISTS
  (SELECT *
   FROM discarded_entries
   WHERE discarded_entries.org_id =
       (SELECT :org_id::UUID AS anon_2)
     AND discarded_entries.automation_id = ANY (:series_ids::UUID[])) AS discards,
                     EXISTS
  (SELECT anon_3.automation_id,
          anon_3.room,
          anon_3.since
   FROM unnest(:bounds_automation_id::UUID[], :bounds_room::BIGINT[], :bounds_since::TIMESTAMP WITH TIME ZONE[]) AS anon_3(automation_id, room, since)
   WHERE
       (SELECT coalesce(sum(surge_entries.entries), 0::INTEGER) AS coalesce_1
        FROM surge_entries
        WHERE surge_entries.org_id =
            (SELECT :org_id::UUID AS anon_4)
          AND surge_entries.automation_id = anon_3.automation_id
          AND surge_entries.began_at > anon_3.since) > anon_3.room) AS tight;

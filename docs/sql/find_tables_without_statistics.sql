-- find_tables_without_statistics
-- halo_engine/sql/statistics.py
SELECT relname
FROM pg_class
WHERE oid = ANY(ARRAY
                  (SELECT to_regclass(name)
                   FROM unnest(CAST('{taken_messages,anonymous_traits,waiting_calls,companies,end_users,audience_fields,audience_field_counts,automation_enrollments,automation_recipients,cleared_recipients,enrollment_refusals,events,contact_sessions,event_counts,idempotency_keys,hook_deliveries,csv_imports,csv_uploads,csv_chunks,installation,cells,cell_organizations,moves,moved_rows,subscriptions,subscription_members,former_members,pending_members,confirmations,suppressions,erased_suppressions,messages,former_mails,cleared_mails,followed_links,bounce_reports,sent_before,operator_keys,operator_sessions,sign_in_links,audit_log,organizations,histories,automations,automation_steps,automation_versions,automation_active_periods,surge_entries,released_entries,held_entries,discarded_entries,signals,waiting_entries,pass_notes,stripe_passed_over,webhook_endpoints,webhook_events,webhook_deliveries}' AS text[])) AS named (name)))
  AND pg_relation_size(oid) > 8192
  AND ((reltuples = 0
        AND relname = ANY(CAST('{automation_enrollments,automation_recipients}' AS text[])))
       OR NOT EXISTS
         (SELECT
          FROM pg_stats
          WHERE schemaname = CAST(CAST(relnamespace AS regnamespace) AS text)
            AND tablename = relname))
ORDER BY relname;

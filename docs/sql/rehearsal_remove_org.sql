-- rehearsal_remove_org
-- Remove an organisation and all that is its own; what refers to what is checked at the end
-- halo_engine/rehearsal/sandbox.py
-- Parameters: org_id uuid
WITH of_moved_rows AS
  (DELETE
   FROM moved_rows
   WHERE moved_rows.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_moves AS
  (DELETE
   FROM moves
   WHERE moves.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_anonymous_traits AS
  (DELETE
   FROM anonymous_traits
   WHERE anonymous_traits.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_audience_field_counts AS
  (DELETE
   FROM audience_field_counts
   WHERE audience_field_counts.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_audience_fields AS
  (DELETE
   FROM audience_fields
   WHERE audience_fields.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_audit_log AS
  (DELETE
   FROM audit_log
   WHERE audit_log.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_companies AS
  (DELETE
   FROM companies
   WHERE companies.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_csv_imports AS
  (DELETE
   FROM csv_imports
   WHERE csv_imports.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_csv_uploads AS
  (DELETE
   FROM csv_uploads
   WHERE csv_uploads.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_erased_suppressions AS
  (DELETE
   FROM erased_suppressions
   WHERE erased_suppressions.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_histories AS
  (DELETE
   FROM histories
   WHERE histories.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_hook_deliveries AS
  (DELETE
   FROM hook_deliveries
   WHERE hook_deliveries.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_operator_keys AS
  (DELETE
   FROM operator_keys
   WHERE operator_keys.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_pass_notes AS
  (DELETE
   FROM pass_notes
   WHERE pass_notes.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_sign_in_links AS
  (DELETE
   FROM sign_in_links
   WHERE sign_in_links.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_stripe_passed_over AS
  (DELETE
   FROM stripe_passed_over
   WHERE stripe_passed_over.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_subscriptions AS
  (DELETE
   FROM subscriptions
   WHERE subscriptions.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_suppressions AS
  (DELETE
   FROM suppressions
   WHERE suppressions.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_taken_messages AS
  (DELETE
   FROM taken_messages
   WHERE taken_messages.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_waiting_calls AS
  (DELETE
   FROM waiting_calls
   WHERE waiting_calls.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_webhook_endpoints AS
  (DELETE
   FROM webhook_endpoints
   WHERE webhook_endpoints.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_automations AS
  (DELETE
   FROM automations
   WHERE automations.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_csv_chunks AS
  (DELETE
   FROM csv_chunks
   WHERE csv_chunks.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_end_users AS
  (DELETE
   FROM end_users
   WHERE end_users.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_operator_sessions AS
  (DELETE
   FROM operator_sessions
   WHERE operator_sessions.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_automation_active_periods AS
  (DELETE
   FROM automation_active_periods
   WHERE automation_active_periods.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_automation_enrollments AS
  (DELETE
   FROM automation_enrollments
   WHERE automation_enrollments.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_automation_steps AS
  (DELETE
   FROM automation_steps
   WHERE automation_steps.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_automation_versions AS
  (DELETE
   FROM automation_versions
   WHERE automation_versions.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_confirmations AS
  (DELETE
   FROM confirmations
   WHERE confirmations.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_contact_sessions AS
  (DELETE
   FROM contact_sessions
   WHERE contact_sessions.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_discarded_entries AS
  (DELETE
   FROM discarded_entries
   WHERE discarded_entries.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_enrollment_refusals AS
  (DELETE
   FROM enrollment_refusals
   WHERE enrollment_refusals.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_event_counts AS
  (DELETE
   FROM event_counts
   WHERE event_counts.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_events AS
  (DELETE
   FROM events
   WHERE events.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_former_mails AS
  (DELETE
   FROM former_mails
   WHERE former_mails.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_former_members AS
  (DELETE
   FROM former_members
   WHERE former_members.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_held_entries AS
  (DELETE
   FROM held_entries
   WHERE held_entries.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_idempotency_keys AS
  (DELETE
   FROM idempotency_keys
   WHERE idempotency_keys.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_pending_members AS
  (DELETE
   FROM pending_members
   WHERE pending_members.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_released_entries AS
  (DELETE
   FROM released_entries
   WHERE released_entries.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_signals AS
  (DELETE
   FROM signals
   WHERE signals.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_subscription_members AS
  (DELETE
   FROM subscription_members
   WHERE subscription_members.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_surge_entries AS
  (DELETE
   FROM surge_entries
   WHERE surge_entries.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_waiting_entries AS
  (DELETE
   FROM waiting_entries
   WHERE waiting_entries.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_webhook_events AS
  (DELETE
   FROM webhook_events
   WHERE webhook_events.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_automation_recipients AS
  (DELETE
   FROM automation_recipients
   WHERE automation_recipients.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_cleared_mails AS
  (DELETE
   FROM cleared_mails
   WHERE cleared_mails.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_cleared_recipients AS
  (DELETE
   FROM cleared_recipients
   WHERE cleared_recipients.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_messages AS
  (DELETE
   FROM messages
   WHERE messages.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_sent_before AS
  (DELETE
   FROM sent_before
   WHERE sent_before.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_webhook_deliveries AS
  (DELETE
   FROM webhook_deliveries
   WHERE webhook_deliveries.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_bounce_reports AS
  (DELETE
   FROM bounce_reports
   WHERE bounce_reports.org_id =
       (SELECT :org_id::UUID AS anon_1)),
     of_followed_links AS
  (DELETE
   FROM followed_links
   WHERE followed_links.org_id =
       (SELECT :org_id::UUID AS anon_1))
DELETE
FROM organizations
WHERE organizations.id =
    (SELECT :org_id::UUID AS anon_1);

-- count_mails_by_outcome
-- halo_engine/answers/operations/measures.py
SELECT messages.state AS kind,
       count(*) AS number
FROM messages
GROUP BY messages.state;

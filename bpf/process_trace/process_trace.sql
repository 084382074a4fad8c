-- SPDX-License-Identifier: Apache-2.0
--
-- Births, new names and ends of tasks, by name.
--
-- starts     tasks born under this name: a fork bears its parent's
-- execs      tasks that took this name, by exec or rename
-- ends       tasks whose last known name it was; NULL as a name: it was never recorded
-- threads    of the starts, those that are further threads of a process

WITH task AS (
    SELECT collection_id, cap_type, pid <> tgid AS is_thread,
           CASE WHEN cap_type <> 'end' THEN name
                ELSE last_value(nullif(name, '') IGNORE NULLS) OVER (
                    PARTITION BY collection_id, pid ORDER BY ts_ns, cap_type = 'end' ROWS UNBOUNDED PRECEDING)
           END AS task_name
    FROM process_trace
)
SELECT collection_id,
       task_name AS name,
       count(*) FILTER (cap_type = 'start') AS starts,
       count(*) FILTER (cap_type = 'start' AND is_thread) AS threads,
       count(*) FILTER (cap_type = 'exec') AS execs,
       count(*) FILTER (cap_type = 'end') AS ends
FROM task
GROUP BY collection_id, task_name
ORDER BY collection_id, starts + execs + ends DESC, name;

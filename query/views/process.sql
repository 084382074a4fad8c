-- SPDX-License-Identifier: Apache-2.0
--
-- The view "process": one row a process, threads left out, a pid that was used twice told apart.
--
-- start_ns   NULL: it began before the recording
-- end_ns     NULL: it went on after the recording
-- name       the last one it had; NULL where no event told
-- exit_code  as a shell gives it: 128 + the signal where a signal ended it; exit_signal is that signal
-- since_ns, until_ns   between these two the pid means this process: join rows of other tables by
--            x.collection_id = p.collection_id AND x.tgid = p.pid AND x.ts_ns BETWEEN p.since_ns AND p.until_ns
--
-- optional: process_trace (pid BIGINT, tgid BIGINT, ts_ns BIGINT, name VARCHAR, cap_type VARCHAR, collection_id VARCHAR)
-- optional: process_info (tgid BIGINT, ts_ns BIGINT, event VARCHAR, ppid BIGINT, exit_code BIGINT, exit_signal BIGINT, comm VARCHAR, cmdline VARCHAR, collection_id VARCHAR)

WITH event AS (
    SELECT collection_id, tgid AS pid, ts_ns, cap_type AS kind, pid = tgid AS leader, nullif(name, '') AS name
    FROM process_trace
    WHERE pid = tgid OR cap_type = 'end'
    UNION ALL BY NAME
    SELECT collection_id, tgid AS pid, ts_ns, event AS kind, true AS leader,
           comm, ppid, exit_code, exit_signal, nullif(cmdline, '') AS cmdline
    FROM process_info
),
ordered AS (
    SELECT *,
           row_number() OVER w AS n,
           -- The last kind before this row: an "end" is of one thread only and says nothing of the process.
           last_value(CASE WHEN kind <> 'end' THEN kind END IGNORE NULLS)
               OVER (w ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
    FROM event
    WINDOW w AS (PARTITION BY collection_id, pid
                 ORDER BY ts_ns, list_position(['start', 'exec', 'end', 'exit'], kind))
),
-- A life of the pid begins with a start, and with whatever follows the exit of the process before.
lived AS (
    SELECT *, sum((kind = 'start' OR (kind <> 'end' AND before IS NOT DISTINCT FROM 'exit'))::INTEGER)
                  OVER (PARTITION BY collection_id, pid ORDER BY n ROWS UNBOUNDED PRECEDING) AS life
    FROM ordered
),
summed AS (
    SELECT collection_id, pid, life,
           min(ts_ns) AS first_ns,
           min(ts_ns) FILTER (kind = 'start') AS start_ns,
           max(ts_ns) FILTER (kind = 'exit') AS exit_ns,
           max(ts_ns) FILTER (kind = 'end') AS thread_end_ns,
           max(n) FILTER (kind = 'end' AND leader) AS leader_end,
           max(n) FILTER (kind = 'exec') AS last_exec,
           coalesce(arg_max(name, n) FILTER (name IS NOT NULL), arg_max(comm, n) FILTER (comm IS NOT NULL)) AS name,
           arg_min(ppid, n) FILTER (ppid IS NOT NULL) AS ppid, -- the first: an orphan is adopted later
           arg_max(cmdline, n) FILTER (cmdline IS NOT NULL) AS cmdline,
           max(exit_code) FILTER (kind = 'exit') AS code,
           max(exit_signal) FILTER (kind = 'exit') AS signal
    FROM lived
    GROUP BY collection_id, pid, life
    HAVING bool_or(leader)
),
ended AS (
    SELECT *,
           row_number() OVER w = 1 AS is_first,
           lead(first_ns) OVER w AS next_ns,
           -- Without an exit row: the first thread ended, and no exec took over its pid. That is the
           -- end of the process where exits are not recorded, or where the pid was used again.
           coalesce(exit_ns, CASE WHEN leader_end > coalesce(last_exec, 0)
                                   AND (lead(first_ns) OVER w IS NOT NULL
                                        OR collection_id NOT IN (SELECT collection_id FROM process_info))
                                  THEN thread_end_ns END) AS end_ns
    FROM summed
    WINDOW w AS (PARTITION BY collection_id, pid ORDER BY life)
)
SELECT collection_id, pid, ppid, name, cmdline,
       CASE WHEN signal > 0 THEN 128 + signal ELSE code END AS exit_code,
       nullif(signal, 0) AS exit_signal,
       start_ns,
       end_ns,
       -- A new task's memory and files are charged to it just before its start row is made (1 ms is ample,
       -- and no pid comes round in that time).
       CASE WHEN start_ns IS NULL AND is_first THEN 0 ELSE first_ns - 1000000 END AS since_ns,
       coalesce(next_ns - 1000001, 9223372036854775807) AS until_ns
FROM ended;

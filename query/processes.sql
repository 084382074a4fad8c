-- SPDX-License-Identifier: Apache-2.0
--
-- Processes: who started whom, when, for how long, and how it ended.
--
-- start_time NULL: it began before the recording; end_time NULL: it went on after it
-- exit_code  as a shell gives it: 128 + the signal where a signal ended it
-- The view "process" has the same rows with start_ns and end_ns (CLOCK_BOOTTIME), to join with other tables.
--
-- needs: process_trace

SELECT p.collection_id,
       p.pid,
       p.ppid,
       p.name,
       p.exit_code,
       p.exit_signal,
       make_timestamp((c.boot_unix_ns + p.start_ns) // 1000) AS start_time,
       make_timestamp((c.boot_unix_ns + p.end_ns) // 1000) AS end_time,
       p.end_ns - p.start_ns AS duration_ns,
       p.cmdline
FROM process p
JOIN collection c USING (collection_id)
ORDER BY p.collection_id, p.start_ns NULLS FIRST, p.end_ns, p.pid;

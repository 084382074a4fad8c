-- SPDX-License-Identifier: Apache-2.0
--
-- Resident memory of processes over time: a step function, one row a change.
--
-- total      file + anon + shmem, as VmRSS in /proc/PID/status; swap is beside it
-- NULL       unknown yet: the process began before the recording and this counter has not changed since
--            (the total counts an unknown shmem as 0)
-- A process that ended is 0 from then on, although the kernel takes a while to free its pages.
--
-- parameters, NULL or not set for none:
--   SET VARIABLE process = 'redis-server';   processes of this name (the kernel keeps 15 bytes of it)
--   SET VARIABLE pid = 4711;                 processes with this pid
--   SET VARIABLE window_ns = 100000000;      one row for each process and 100 ms: what stood at the window's end
--                                            (of a process that ended in it: before that); ts_ns is its start

WITH change AS (
    SELECT r.collection_id, r.tgid AS pid, p.since_ns, r.ts_ns,
           CASE member WHEN 'MM_FILEPAGES' THEN r."count" END AS file,
           CASE member WHEN 'MM_ANONPAGES' THEN r."count" END AS anon,
           CASE member WHEN 'MM_SHMEMPAGES' THEN r."count" END AS shmem,
           CASE member WHEN 'MM_SWAPENTS' THEN r."count" END AS swap
    FROM mm_rss_stat r
    LEFT JOIN process p
        ON r.collection_id = p.collection_id AND r.tgid = p.pid AND r.ts_ns BETWEEN p.since_ns AND p.until_ns
    WHERE (getvariable('process') IS NULL OR p.name = getvariable('process')[:15])
      AND (getvariable('pid') IS NULL OR r.tgid = getvariable('pid'))
      AND (p.end_ns IS NULL OR r.ts_ns <= p.end_ns)
),
-- With a window: the last count of each member in it.
thinned AS (
    SELECT * FROM change WHERE getvariable('window_ns') IS NULL
    UNION ALL BY NAME
    SELECT collection_id, pid, since_ns, ts_ns // getvariable('window_ns') * getvariable('window_ns') AS ts_ns,
           arg_max(file, ts_ns) AS file, arg_max(anon, ts_ns) AS anon, arg_max(shmem, ts_ns) AS shmem, arg_max(swap, ts_ns) AS swap
    FROM change
    WHERE getvariable('window_ns') IS NOT NULL
    GROUP BY collection_id, pid, since_ns, change.ts_ns // getvariable('window_ns')
),
carried AS (
    SELECT collection_id, pid, since_ns, ts_ns,
           last_value(file IGNORE NULLS) OVER w AS file,
           last_value(anon IGNORE NULLS) OVER w AS anon,
           last_value(shmem IGNORE NULLS) OVER w AS shmem,
           last_value(swap IGNORE NULLS) OVER w AS swap,
           row_number() OVER w AS n
    FROM thinned
    WINDOW w AS (PARTITION BY collection_id, pid, since_ns ORDER BY ts_ns, file, anon, shmem, swap ROWS UNBOUNDED PRECEDING)
),
-- With a window: a row for each one in which nothing changed, too.
recorded AS (
    SELECT collection_id, max(ts_ns) AS last_ns FROM mm_rss_stat
    WHERE getvariable('window_ns') IS NOT NULL
    GROUP BY collection_id
),
spread AS (
    SELECT s.* EXCLUDE (ts_ns),
           unnest(range(s.ts_ns,
                        coalesce(lead(s.ts_ns) OVER (PARTITION BY s.collection_id, s.pid, s.since_ns ORDER BY s.ts_ns),
                                 coalesce(p.end_ns, r.last_ns) + 1),
                        getvariable('window_ns')::BIGINT)) AS ts_ns
    FROM carried s
    JOIN recorded r ON s.collection_id = r.collection_id
    LEFT JOIN process p ON s.collection_id = p.collection_id AND s.pid = p.pid AND s.since_ns = p.since_ns
),
step AS (
    SELECT * FROM carried WHERE getvariable('window_ns') IS NULL
    UNION ALL BY NAME
    SELECT * FROM spread
    UNION ALL BY NAME
    SELECT collection_id, pid, since_ns, p.end_ns AS ts_ns, 0 AS file, 0 AS anon, 0 AS shmem, 0 AS swap, max(n) + 1 AS n
    FROM carried
    JOIN process p USING (collection_id, pid, since_ns)
    WHERE p.end_ns IS NOT NULL AND getvariable('window_ns') IS NULL
    GROUP BY ALL
),
-- A process seen from its start has nothing until a counter says so.
known AS (
    SELECT s.* EXCLUDE (file, anon, shmem, swap), p.name, c.page_size, c.boot_unix_ns,
           coalesce(s.file, p.start_ns * 0) AS file, coalesce(s.anon, p.start_ns * 0) AS anon,
           coalesce(s.shmem, p.start_ns * 0) AS shmem, coalesce(s.swap, p.start_ns * 0) AS swap,
           coalesce(s.file, p.start_ns * 0) + coalesce(s.anon, p.start_ns * 0) + coalesce(s.shmem, 0) AS total
    FROM step s
    JOIN collection c ON s.collection_id = c.collection_id
    LEFT JOIN process p ON s.collection_id = p.collection_id AND s.pid = p.pid AND s.since_ns = p.since_ns
)
SELECT collection_id,
       pid,
       name,
       make_timestamp((boot_unix_ns + ts_ns) // 1000) AS "time",
       total * page_size AS total_bytes,
       file * page_size AS file_bytes,
       anon * page_size AS anon_bytes,
       shmem * page_size AS shmem_bytes,
       swap * page_size AS swap_bytes,
       total AS total_pages,
       file AS file_pages,
       anon AS anon_pages,
       shmem AS shmem_pages,
       swap AS swap_pages,
       ts_ns
FROM known
ORDER BY collection_id, pid, since_ns, ts_ns, n;

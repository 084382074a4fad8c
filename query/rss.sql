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
    SELECT r.collection_id, r.tgid AS pid, p.name, p.since_ns, p.start_ns, p.end_ns, r.ts_ns, r.member, r."count" AS pages
    FROM mm_rss_stat r
    LEFT JOIN process p
        ON r.collection_id = p.collection_id AND r.tgid = p.pid AND r.ts_ns BETWEEN p.since_ns AND p.until_ns
    WHERE (getvariable('process') IS NULL OR p.name = getvariable('process')[:15])
      AND (getvariable('pid') IS NULL OR r.tgid = getvariable('pid'))
      AND (p.end_ns IS NULL OR r.ts_ns <= p.end_ns)
),
member AS (
    SELECT * EXCLUDE (member, pages),
           -- A process seen from its start has nothing until a counter says so.
           coalesce(last_value(CASE WHEN member = 'MM_FILEPAGES' THEN pages END IGNORE NULLS) OVER w, start_ns * 0) AS file,
           coalesce(last_value(CASE WHEN member = 'MM_ANONPAGES' THEN pages END IGNORE NULLS) OVER w, start_ns * 0) AS anon,
           coalesce(last_value(CASE WHEN member = 'MM_SHMEMPAGES' THEN pages END IGNORE NULLS) OVER w, start_ns * 0) AS shmem,
           coalesce(last_value(CASE WHEN member = 'MM_SWAPENTS' THEN pages END IGNORE NULLS) OVER w, start_ns * 0) AS swap,
           row_number() OVER w AS n
    FROM change
    WINDOW w AS (PARTITION BY collection_id, pid, since_ns ORDER BY ts_ns, member, pages ROWS UNBOUNDED PRECEDING)
),
step AS (
    SELECT *, file + anon + coalesce(shmem, 0) AS total FROM member
    UNION ALL BY NAME
    SELECT collection_id, pid, any_value(name) AS name, since_ns, any_value(end_ns) AS ts_ns,
           max(n) + 1 AS n, 0 AS file, 0 AS anon, 0 AS shmem, 0 AS swap, 0 AS total
    FROM member
    WHERE getvariable('window_ns') IS NULL
    GROUP BY collection_id, pid, since_ns
    HAVING any_value(end_ns) IS NOT NULL
),
-- With a window: its last row, and the last one before it where nothing changed.
sampled AS (
    SELECT *, ts_ns // getvariable('window_ns') AS k
    FROM step
    WHERE getvariable('window_ns') IS NOT NULL
    QUALIFY row_number() OVER (PARTITION BY collection_id, pid, since_ns, k ORDER BY n DESC) = 1
),
recorded AS (
    SELECT collection_id, max(ts_ns) // getvariable('window_ns') AS k FROM mm_rss_stat
    WHERE getvariable('window_ns') IS NOT NULL
    GROUP BY collection_id
),
filled AS (
    SELECT s.* EXCLUDE (ts_ns),
           unnest(range(s.k, coalesce(lead(s.k) OVER (PARTITION BY s.collection_id, s.pid, s.since_ns ORDER BY s.k),
                                      CASE WHEN s.end_ns IS NULL THEN r.k ELSE s.end_ns // getvariable('window_ns') END + 1)))
               * getvariable('window_ns') AS ts_ns
    FROM sampled s
    JOIN recorded r USING (collection_id)
),
chosen AS (
    FROM step WHERE getvariable('window_ns') IS NULL
    UNION ALL BY NAME
    SELECT * EXCLUDE (k) FROM filled
)
SELECT s.collection_id,
       s.pid,
       s.name,
       make_timestamp((c.boot_unix_ns + s.ts_ns) // 1000) AS "time",
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
       s.ts_ns
FROM chosen s
JOIN collection c USING (collection_id)
ORDER BY s.collection_id, s.pid, s.since_ns, s.ts_ns, s.n;

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

WITH unknown AS ( -- whoever no event of process_trace told of
    SELECT DISTINCT collection_id, tgid AS pid FROM mm_rss_stat
),
-- Numbered in the order of the answer: what follows sorts numbers, not texts.
life AS (
    SELECT *, row_number() OVER (ORDER BY collection_id, pid, since_ns) AS id
    FROM (SELECT collection_id, pid, name, start_ns, end_ns, since_ns, until_ns FROM process
          UNION ALL BY NAME
          SELECT collection_id, pid FROM unknown)
),
change AS (
    SELECT coalesce(p.id, u.id) AS id, r.ts_ns, r."count" AS pages,
           list_position(['MM_FILEPAGES', 'MM_ANONPAGES', 'MM_SHMEMPAGES', 'MM_SWAPENTS'], member) AS member
    FROM mm_rss_stat r
    JOIN life u ON r.collection_id = u.collection_id AND r.tgid = u.pid AND u.since_ns IS NULL
    LEFT JOIN life p
        ON r.collection_id = p.collection_id AND r.tgid = p.pid AND r.ts_ns BETWEEN p.since_ns AND p.until_ns
    WHERE (getvariable('process') IS NULL OR p.name = getvariable('process')[:15])
      AND (getvariable('pid') IS NULL OR r.tgid = getvariable('pid'))
      AND (p.end_ns IS NULL OR r.ts_ns <= p.end_ns)
),
-- With a window: the last count of each member in it.
thinned AS (
    SELECT * FROM change WHERE getvariable('window_ns') IS NULL
    UNION ALL BY NAME
    SELECT id, member, arg_max(pages, ts_ns) AS pages, ts_ns // getvariable('window_ns') * getvariable('window_ns') AS ts_ns
    FROM change
    WHERE getvariable('window_ns') IS NOT NULL
    GROUP BY id, member, change.ts_ns // getvariable('window_ns')
),
-- What stands is the last count of each member. To look for it DuckDB goes back over all rows of a member that never changes,
-- again from each row; so it looks within blocks, and from block to block.
placed AS (
    SELECT *, n // 256 AS block
    FROM (SELECT *, row_number() OVER (PARTITION BY id ORDER BY ts_ns, member, pages) AS n FROM thinned)
),
block AS (
    SELECT id, block + 1 AS block,
           last_value(arg_max(pages, n) FILTER (member = 1) IGNORE NULLS) OVER w AS file,
           last_value(arg_max(pages, n) FILTER (member = 2) IGNORE NULLS) OVER w AS anon,
           last_value(arg_max(pages, n) FILTER (member = 3) IGNORE NULLS) OVER w AS shmem,
           last_value(arg_max(pages, n) FILTER (member = 4) IGNORE NULLS) OVER w AS swap
    FROM placed
    GROUP BY id, block
    WINDOW w AS (PARTITION BY id ORDER BY block ROWS UNBOUNDED PRECEDING)
),
carried AS (
    SELECT id, ts_ns, n,
           coalesce(last_value(CASE member WHEN 1 THEN pages END IGNORE NULLS) OVER w, b.file) AS file,
           coalesce(last_value(CASE member WHEN 2 THEN pages END IGNORE NULLS) OVER w, b.anon) AS anon,
           coalesce(last_value(CASE member WHEN 3 THEN pages END IGNORE NULLS) OVER w, b.shmem) AS shmem,
           coalesce(last_value(CASE member WHEN 4 THEN pages END IGNORE NULLS) OVER w, b.swap) AS swap
    FROM placed
    LEFT JOIN block b USING (id, block)
    WINDOW w AS (PARTITION BY id, block ORDER BY n ROWS UNBOUNDED PRECEDING)
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
                        coalesce(lead(s.ts_ns) OVER (PARTITION BY id ORDER BY n), coalesce(p.end_ns, r.last_ns) + 1),
                        getvariable('window_ns')::BIGINT)) AS ts_ns
    FROM carried s
    JOIN life p USING (id)
    JOIN recorded r ON p.collection_id = r.collection_id
),
step AS (
    SELECT * FROM carried WHERE getvariable('window_ns') IS NULL
    UNION ALL BY NAME
    SELECT * FROM spread
    UNION ALL BY NAME
    SELECT id, p.end_ns AS ts_ns, 0 AS file, 0 AS anon, 0 AS shmem, 0 AS swap, max(n) + 1 AS n
    FROM carried
    JOIN life p USING (id)
    WHERE p.end_ns IS NOT NULL AND getvariable('window_ns') IS NULL
    GROUP BY id, p.end_ns
),
-- A process seen from its start has nothing until a counter says so.
known AS (
    SELECT s.* EXCLUDE (file, anon, shmem, swap), p.collection_id, p.pid, p.name, c.page_size, c.boot_unix_ns,
           coalesce(s.file, p.start_ns * 0) AS file, coalesce(s.anon, p.start_ns * 0) AS anon,
           coalesce(s.shmem, p.start_ns * 0) AS shmem, coalesce(s.swap, p.start_ns * 0) AS swap,
           coalesce(s.file, p.start_ns * 0) + coalesce(s.anon, p.start_ns * 0) + coalesce(s.shmem, 0) AS total
    FROM step s
    JOIN life p USING (id)
    JOIN collection c ON p.collection_id = c.collection_id
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
ORDER BY id, ts_ns, n;

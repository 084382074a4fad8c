-- SPDX-License-Identifier: Apache-2.0
--
-- Page faults by process: how many, of which kind, and how long the kernel took.
--
-- major      waited for I/O; minor did not
-- reads      neither a write nor an instruction fetch
-- latency_*  from the fault until the kernel had handled it
-- NULL       the source of this recording cannot see it

WITH fault AS (
    SELECT f.collection_id, f.tgid AS pid, p.since_ns, p.name, f.comm, f.pid = f.tgid AS leader, f.ts_ns,
           f.is_major, f.is_write, f.is_exec, f.latency_ns
    FROM page_fault f
    LEFT JOIN process p
        ON f.collection_id = p.collection_id AND f.tgid = p.pid AND f.ts_ns BETWEEN p.since_ns AND p.until_ns
),
-- Quantiles by counting equal latencies: exact, and small where a list of all of them would not be.
latency AS (
    SELECT collection_id, pid, since_ns, latency_ns,
           sum(count(*)) OVER (PARTITION BY collection_id, pid, since_ns ORDER BY latency_ns)
               / sum(count(*)) OVER (PARTITION BY collection_id, pid, since_ns) AS share
    FROM fault
    WHERE latency_ns IS NOT NULL
    GROUP BY collection_id, pid, since_ns, latency_ns
),
quantile AS (
    SELECT collection_id, pid, since_ns,
           min(latency_ns) FILTER (share >= 0.5) AS latency_p50_ns,
           min(latency_ns) FILTER (share >= 0.9) AS latency_p90_ns,
           min(latency_ns) FILTER (share >= 0.99) AS latency_p99_ns,
           max(latency_ns) AS latency_max_ns
    FROM latency
    GROUP BY ALL
),
counted AS (
    SELECT collection_id, pid, since_ns,
           -- Without a process table, the process is called what its first thread was called last.
           coalesce(any_value(name), arg_max(comm, ts_ns) FILTER (leader), arg_max(comm, ts_ns)) AS name,
           count(*) AS faults,
           sum(is_major::INTEGER)::BIGINT AS major,
           sum((NOT is_major)::INTEGER)::BIGINT AS minor,
           sum(1 - (is_write::INTEGER | is_exec::INTEGER))::BIGINT AS reads,
           sum(is_write::INTEGER)::BIGINT AS writes,
           sum(is_exec::INTEGER)::BIGINT AS execs
    FROM fault
    GROUP BY ALL
)
SELECT c.collection_id, c.pid, c.name, faults, major, minor, reads, writes, execs,
       latency_p50_ns, latency_p90_ns, latency_p99_ns, latency_max_ns
FROM counted c
LEFT JOIN quantile q
    ON c.collection_id = q.collection_id AND c.pid = q.pid AND c.since_ns IS NOT DISTINCT FROM q.since_ns
ORDER BY c.collection_id, faults DESC, c.pid, c.since_ns;

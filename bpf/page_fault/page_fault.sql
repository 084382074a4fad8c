-- SPDX-License-Identifier: Apache-2.0
--
-- Page faults by name of the faulting thread: how many, of which kind, and how long the kernel took.
--
-- major      waited for I/O
-- reads      neither a write nor an instruction fetch
-- pages      distinct pages of 4 KiB that were touched, in each process anew
-- NULL       the source of this recording cannot see it

WITH touched AS (
    SELECT collection_id, comm, count(*) AS pages
    FROM (SELECT DISTINCT collection_id, comm, tgid, address >> 12 FROM page_fault WHERE address IS NOT NULL)
    GROUP BY ALL
),
-- Quantiles by counting equal latencies: exact, and small where a list of all of them would not be.
latency AS (
    SELECT collection_id, comm, latency_ns,
           sum(count(*)) OVER (PARTITION BY collection_id, comm ORDER BY latency_ns)
               / sum(count(*)) OVER (PARTITION BY collection_id, comm) AS share
    FROM page_fault
    WHERE latency_ns IS NOT NULL
    GROUP BY collection_id, comm, latency_ns
),
quantile AS (
    SELECT collection_id, comm,
           min(latency_ns) FILTER (share >= 0.5) AS latency_p50_ns,
           min(latency_ns) FILTER (share >= 0.99) AS latency_p99_ns,
           max(latency_ns) AS latency_max_ns
    FROM latency
    GROUP BY ALL
)
SELECT collection_id,
       comm,
       count(*) AS faults,
       sum(is_major::INTEGER)::BIGINT AS major,
       sum(1 - (is_write::INTEGER | is_exec::INTEGER))::BIGINT AS reads,
       sum(is_write::INTEGER)::BIGINT AS writes,
       sum(is_exec::INTEGER)::BIGINT AS execs,
       any_value(pages) AS pages,
       any_value(latency_p50_ns) AS latency_p50_ns,
       any_value(latency_p99_ns) AS latency_p99_ns,
       any_value(latency_max_ns) AS latency_max_ns
FROM page_fault
LEFT JOIN touched USING (collection_id, comm)
LEFT JOIN quantile USING (collection_id, comm)
GROUP BY collection_id, comm
ORDER BY collection_id, faults DESC, comm;

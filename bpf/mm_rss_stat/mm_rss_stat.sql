-- SPDX-License-Identifier: Apache-2.0
--
-- Peaks of each process's memory counters, by the id of the process.
--
-- events     changes that were recorded
-- *_pages    the highest count that was recorded; NULL: this counter did not change
-- A pid that was used twice is one row here; `kstat rss` tells such processes apart and sums the counters.

SELECT collection_id,
       tgid,
       count(*) AS events,
       max("count") FILTER (member = 'MM_FILEPAGES') AS file_pages,
       max("count") FILTER (member = 'MM_ANONPAGES') AS anon_pages,
       max("count") FILTER (member = 'MM_SHMEMPAGES') AS shmem_pages,
       max("count") FILTER (member = 'MM_SWAPENTS') AS swap_pages,
       max(ts_ns) - min(ts_ns) AS span_ns
FROM mm_rss_stat
GROUP BY collection_id, tgid
ORDER BY collection_id, coalesce(file_pages, 0) + coalesce(anon_pages, 0) + coalesce(shmem_pages, 0) DESC, tgid;

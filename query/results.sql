-- SPDX-License-Identifier: Apache-2.0
--
-- Figures that the workload's programs gave of themselves, over its repetitions.
--
-- runs       repetitions that gave the figure; warm-ups are left out
-- deviation  standard deviation of the sample, NULL for one run
--
-- needs: result

SELECT collection_id,
       workload,
       phase,
       metric,
       count(*) AS runs,
       min(value) AS min,
       median(value) AS median,
       max(value) AS max,
       stddev_samp(value) AS deviation,
       unit
FROM result
WHERE iteration >= 0
GROUP BY collection_id, workload, phase, metric, unit
ORDER BY collection_id, min(ts_ns), metric;

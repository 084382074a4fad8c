-- SPDX-License-Identifier: Apache-2.0
--
-- Received TCP packets by the branch they took.
--
-- packets    packets that took the branch; `entry` is every packet
-- share      of all packets, 0 to 1
-- dropped    of these packets, those for which the row gives a drop reason
-- reasons    how often each drop reason was given

WITH total AS (
    SELECT collection_id, count(*) AS packets
    FROM tcp_v4_rcv
    WHERE branch_name = 'entry'
    GROUP BY collection_id
)
SELECT r.collection_id,
       branch_name AS branch,
       count(*) AS packets,
       round(count(*) / any_value(total.packets), 4) AS share,
       sum((drop_reason <> 0)::INTEGER)::BIGINT AS dropped,
       sum(skb_len)::BIGINT AS received_bytes,
       histogram(drop_reason_name) FILTER (drop_reason <> 0) AS reasons
FROM tcp_v4_rcv r
LEFT JOIN total ON total.collection_id = r.collection_id
GROUP BY r.collection_id, branch_name
ORDER BY r.collection_id, packets DESC, branch;

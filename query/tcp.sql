-- SPDX-License-Identifier: Apache-2.0
--
-- Received TCP packets by service port and process: how many, which branches they took, which were dropped.
--
-- port       the lower of the two ports, as a rule the service's
-- side       who received: "server" has the port, "client" talks to it
-- comm       the thread that was running when the packet came in: on loopback its sender, else often a bystander
-- branches   how many packets took each branch (besides the entry, which all pass)
-- drops      packets that were dropped; reasons: how often each reason was given

WITH packet AS (
    SELECT *, least(sport, dport) AS port, CASE WHEN dport <= sport THEN 'server' ELSE 'client' END AS side
    FROM tcp_v4_rcv
)
SELECT collection_id,
       port,
       side,
       comm,
       count(*) FILTER (branch_name = 'entry') AS packets,
       sum(skb_len) FILTER (branch_name = 'entry')::BIGINT AS received_bytes,
       count(DISTINCT packet) FILTER (drop_reason <> 0) AS drops,
       histogram(branch_name) FILTER (branch_name <> 'entry') AS branches,
       histogram(drop_reason_name) FILTER (drop_reason <> 0) AS reasons
FROM packet
GROUP BY collection_id, port, side, comm
ORDER BY collection_id, packets DESC, port, side, comm;

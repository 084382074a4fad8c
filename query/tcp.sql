-- SPDX-License-Identifier: Apache-2.0
--
-- Received TCP packets by service port and process: how many, which branches they took, which were dropped.
--
-- port       the service's: where connections were accepted; where that was not seen, the port with more peers, or else the
--            lower one
-- side       who received: "server" has the port, "client" talks to it
-- comm       the thread that was running when the packet came in: on loopback its sender, else often a bystander
-- branches   how many packets took each branch (besides the entry, which all pass)
-- drops      packets that were dropped; reasons: how often each reason was given

WITH path AS (
    SELECT collection_id, saddr, sport, daddr, dport,
           bool_or(branch_name IN ('listen_state', 'listen_overflow', 'new_syn_recv', 'req_stolen')) AS accepts
    FROM tcp_v4_rcv
    GROUP BY ALL
),
place AS (
    SELECT collection_id, addr, port, bool_or(accepts) AS accepts, count(DISTINCT (peer, peer_port)) AS peers
    FROM (SELECT collection_id, daddr AS addr, dport AS port, accepts, saddr AS peer, sport AS peer_port FROM path
          UNION ALL
          SELECT collection_id, saddr, sport, false, daddr, dport FROM path)
    GROUP BY ALL
),
directed AS (
    SELECT p.collection_id, p.saddr, p.sport, p.daddr, p.dport,
           CASE WHEN d.accepts <> s.accepts THEN d.accepts
                WHEN d.peers <> s.peers THEN d.peers > s.peers
                ELSE p.dport <= p.sport END AS to_service
    FROM path p
    JOIN place d ON d.collection_id = p.collection_id AND d.addr = p.daddr AND d.port = p.dport
    JOIN place s ON s.collection_id = p.collection_id AND s.addr = p.saddr AND s.port = p.sport
),
packet AS (
    SELECT t.*,
           CASE WHEN to_service THEN t.dport ELSE t.sport END AS port,
           CASE WHEN to_service THEN 'server' ELSE 'client' END AS side
    FROM tcp_v4_rcv t
    JOIN directed USING (collection_id, saddr, sport, daddr, dport)
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

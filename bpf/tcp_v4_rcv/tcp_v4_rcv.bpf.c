/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */

/*
 * Longer than a screen, and than any other room: tcp_v4_rcv has no tracepoint of its own, so a packet is followed through
 * its calls, by three sources whose programs share what a packet is (enter, took, dropped); a file each would tear apart
 * the rules of the branches, which must be read side by side. Each branch and its traffic is in tcp_v4_rcv.txt, what
 * devices do to packets in network.txt.
 */
#include "kermit.bpf.h"
#include <bpf/bpf_endian.h>
#include <linux/in.h>

enum branch {
	entry = 0,
	not_for_host = 1,
	no_socket = 2,
	time_wait = 3,
	checksum_error = 4,
	listen_state = 5,
	socket_busy = 6,
	xfrm_policy_drop = 7,
	new_syn_recv = 8,
	pkt_too_small = 9,
	min_ttl_drop = 10,
	socket_filter_drop = 11,
	do_rcv_direct = 12,
	md5_hash_fail = 13,
	req_stolen = 15,
	listen_overflow = 16,
	rst_sent = 17,
	established_proc = 18,
	do_rcv_drop = 19,
};

/* Read by name, for the running kernel's numbers. These numbers count only where the kernel has none. */
enum skb_drop_reason {
	SKB_DROP_REASON_NONE = 0,
	SKB_DROP_REASON_NOT_SPECIFIED = 2,
	SKB_DROP_REASON_NO_SOCKET = 3,
	SKB_DROP_REASON_PKT_TOO_SMALL = 4,
	SKB_DROP_REASON_TCP_CSUM = 5,
	SKB_DROP_REASON_SOCKET_FILTER = 6,
	SKB_DROP_REASON_XFRM_POLICY = 14,
	SKB_DROP_REASON_SOCKET_BACKLOG = 22,
	SKB_DROP_REASON_TCP_MD5FAILURE = 21,
	SKB_DROP_REASON_TCP_LISTEN_OVERFLOW = 40,
	SKB_DROP_REASON_TCP_MINTTL = 70,
	SKB_DROP_REASON_TCP_AUTH_HDR = 100, /* from here on only by name */
	SKB_DROP_REASON_TCP_MD5NOTFOUND,
	SKB_DROP_REASON_TCP_MD5UNEXPECTED,
	SKB_DROP_REASON_TCP_RFC7323_TW_PAWS,
	SKB_DROP_REASON_QUEUE_PURGE,
};

struct tcp_v4_rcv {
	u16 cpu DOC("CPU that received the packet");
	u32 pid DOC("thread that the interrupt stopped: not the packet's owner");
	u32 tgid DOC("process that the interrupt stopped: not the packet's owner");
	s64 ts_uptime_us[0] FROM("ts_ns / 1000") DOC("ts_ns in microseconds");
	u8 branch_type DOC("number of the branch");
	enum branch branch_name[0] FROM("branch_type") DOC("entry, once a packet; then each branch that it took");
	u16 drop_reason DOC("the running kernel's skb_drop_reason (before 5.17, which has none, by the branch); 0: not dropped here");
	enum skb_drop_reason drop_reason_name[0] FROM("drop_reason") KERNEL_ENUM("skb_drop_reason", "SKB_DROP_REASON_") LABEL(0, "none")
		DOC("name of drop_reason, in small letters without its prefix");
	u32 saddr IPV4 DOC("source address");
	u32 daddr IPV4 DOC("destination address");
	u16 sport DOC("source port");
	u16 dport DOC("destination port");
	char comm[16] DOC("name of the thread that the interrupt stopped: not the packet's owner");
	s64 ts_ns DOC("CLOCK_BOOTTIME of the row");
	s64 uptime_timestamp[0] FROM("ts_ns / 1000") DOC("ts_ns in microseconds");
	u32 skb_len DOC("bytes of TCP header and payload; of all segments that were merged on receipt");
	u64 packet DOC("number of the packet: the same in all its rows");
} DOC("One row a TCP packet over IPv4 that reaches this host, and one for each branch it took in tcp_v4_rcv. Filters by process do not apply.");
TABLE(tcp_v4_rcv);

/* The functions that a packet passes within one call of tcp_v4_rcv on one CPU. */
SOURCE(fentry, "kernel >= 5.17",
       "before 6.6: that a packet freed with the socket that it ends is no do_rcv_drop");
/* The same, and where drops have no reason yet, what the functions return. */
SOURCE(fexit, "kernel < 5.17",
       "branch do_rcv_drop");
/* LOCAL_IN is the last thing that a packet passes before tcp_v4_rcv, which follows at once on the same CPU. */
SOURCE(netfilter, "kernel >= 6.4",
       "branch time_wait\n"
       "branch listen_state, and SYNs that a full queue drops\n"
       "branch socket_busy of a packet that the backlog takes\n"
       "branch new_syn_recv of a packet that does not complete a connection\n"
       "branch do_rcv_direct of a packet that is neither on the established path nor dropped\n"
       "branch do_rcv_drop of a packet that is dropped without a reason\n"
       "SYN cookies: the packet that proves one is shown as new_syn_recv\n"
       "branches of a packet that no tracing program saw come: lost_other counts it\n"
       "packets of a network namespace that is made after the start");

struct sk_buff {
	unsigned int len;
	unsigned char *head;
	u16 network_header;
	unsigned char pkt_type : 3;
} KERNEL;

struct nf_hook_state;

struct bpf_nf_ctx {
	const struct nf_hook_state *state;
	struct sk_buff *skb;
};

struct iphdr {
	u8 ihl_version;
	u8 head[11];
	u32 saddr, daddr;
};

struct task_struct {
	int pid, tgid;
	char comm[16];
} KERNEL;

struct sock_common {
	u16 skc_num;
	volatile unsigned char skc_state;
} KERNEL;

struct sock {
	struct sock_common __sk_common;
	u32 sk_ack_backlog, sk_max_ack_backlog;
} KERNEL;

#define NF_ACCEPT 1    /* include/uapi/linux/netfilter.h */
#define PACKET_HOST 0  /* include/uapi/linux/if_packet.h */
#define TCP_SYN_RECV 3 /* include/net/tcp_states.h */
#define TCP_CLOSE 7
#define TCP_LISTEN 10

/* The packet that a CPU has in tcp_v4_rcv. */
struct packet {
	u64 skb; /* 0: none */
	u64 number; /* of the CPU's packets, interleaved with those of the others */
	u32 saddr, daddr;
	u16 sport, dport;
	u32 len;
	u32 pid, tgid;
	u32 branches; /* taken so far, a bit each */
	enum branch pending; /* its row is due when the kernel frees the packet, with the reason, or is done; 0: none */
	char comm[16];
	bool is_syn, is_reset, overflow;
	bool is_traced; /* what brings packets ran a tracing program here, since the last was handed over */
};
PER_CPU(packet, struct packet);

static __always_inline struct packet *any_packet(void)
{
	u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&percpu_packet, &cpu);
}

/* The packet in tcp_v4_rcv here, if it is this one. */
static __always_inline struct packet *packet_of(void *skb)
{
	struct packet *p = any_packet();

	return p && skb && p->skb == (u64)skb ? p : 0;
}

static __always_inline void took(struct packet *p, enum branch branch, u32 drop_reason)
{
	struct tcp_v4_rcv *row;

	if (p->branches & (1U << branch))
		return; /* a second look-up of its socket leads the same way */
	p->branches |= 1U << branch;
	row = reserve(tcp_v4_rcv, NOBODY);
	if (!row)
		return;
	row->cpu = bpf_get_smp_processor_id();
	row->pid = p->pid;
	row->tgid = p->tgid;
	row->branch_type = branch;
	row->drop_reason = drop_reason;
	row->saddr = p->saddr;
	row->daddr = p->daddr;
	row->sport = p->sport;
	row->dport = p->dport;
	__builtin_memcpy(row->comm, p->comm, sizeof(row->comm));
	row->ts_ns = bpf_ktime_get_boot_ns();
	row->skb_len = p->len;
	row->packet = p->number;
	submit(row);
}

struct tcp_header {
	u16 source, dest;
	u32 seq, ack;
	u8 doff_reserved, flags;
};

#define TCP_HEADER 20 /* bytes, at the least */

#define TCP_FLAG_SYN 2
#define TCP_FLAG_RST 4

struct headers {
	struct iphdr ip;
	struct tcp_header tcp;
	u32 ip_length; /* bytes */
};

/* Reads the headers of a TCP packet over IPv4; the IP header begins at skb's network header. */
static __always_inline bool read_headers(struct sk_buff *skb, struct headers *h)
{
	void *at = BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, network_header);

	if (bpf_probe_read_kernel(&h->ip, sizeof(h->ip), at) || h->ip.head[8] != IPPROTO_TCP)
		return false;
	h->ip_length = (h->ip.ihl_version & 15) * 4;
	bpf_probe_read_kernel(&h->tcp, sizeof(h->tcp), at + h->ip_length);
	return true;
}

static __always_inline bool is_open(void)
{
	u32 zero = 0;
	struct kermit_control *control = bpf_map_lookup_elem(&kermit_control, &zero);

	return control && control->open;
}

/* A packet comes. ip_header: whether skb->len counts it. */
static __always_inline void enter(struct sk_buff *skb, bool ip_header)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct packet *p = any_packet();
	struct headers h = {};
	u32 doff;

	if (!p)
		return;
	p->skb = 0;
	if (!is_open() || !read_headers(skb, &h)) /* a packet that comes before rows are due has none at all */
		return;
	p->skb = (u64)skb;
	p->number = p->number ? p->number + kermit_cpus : bpf_get_smp_processor_id() + 1;
	p->saddr = h.ip.saddr;
	p->daddr = h.ip.daddr;
	p->sport = bpf_ntohs(h.tcp.source);
	p->dport = bpf_ntohs(h.tcp.dest);
	p->len = skb->len - (ip_header ? h.ip_length : 0);
	p->pid = BPF_CORE_READ(task, pid);
	p->tgid = BPF_CORE_READ(task, tgid);
	p->branches = 0;
	p->is_syn = h.tcp.flags & TCP_FLAG_SYN;
	p->is_reset = h.tcp.flags & TCP_FLAG_RST;
	p->overflow = false;
	p->pending = 0;
	BPF_CORE_READ_STR_INTO(&p->comm, task, comm);
	took(p, entry, 0);
	doff = (h.tcp.doff_reserved >> 4) * 4;
	if (BPF_CORE_READ_BITFIELD_PROBED(skb, pkt_type) != PACKET_HOST)
		p->pending = not_for_host;
	else if (doff < TCP_HEADER || p->len < doff)
		p->pending = pkt_too_small;
}

/* Whether the buffer still holds the packet: one that is freed may be that of the answer a moment later. */
static __always_inline bool holds(struct sk_buff *skb, struct packet *p)
{
	struct headers h = {};

	return read_headers(skb, &h) && h.ip.saddr == p->saddr && h.ip.daddr == p->daddr &&
	       bpf_ntohs(h.tcp.source) == p->sport && bpf_ntohs(h.tcp.dest) == p->dport;
}

PROBE(netfilter, "tp_btf/netif_receive_skb")
int BPF_PROG(on_receive)
{
	struct packet *p = any_packet();

	if (p)
		p->is_traced = true;
	return 0;
}

/*
 * There are kernels that run no tracing program while a thread of the first process runs, nor in an interrupt that stops
 * it, and count none as missed. Programs of netfilter run. A packet that no tracing program saw come has branches that
 * none will see, nor when it is handed over: one row is lost, at the least.
 */
PROBE(netfilter, "netfilter/local_in")
int on_local_in(struct bpf_nf_ctx *ctx)
{
	struct packet *p = any_packet();

	enter(ctx->skb, true);
	if (p && p->skb && !p->is_traced) {
		p->skb = 0;
		lose(tcp_v4_rcv);
	}
	return NF_ACCEPT;
}

/* The packet has been handed over: what happens to its buffer from now on is another story. */
#define HANDED_OVER(name, event)                 \
	PROBE(netfilter, "tp_btf/" #event)       \
	int BPF_PROG(name)                       \
	{                                        \
		struct packet *p = any_packet(); \
                                                 \
		if (p) {                         \
			p->skb = 0;              \
			p->is_traced = false;    \
		}                                \
		return 0;                        \
	}
HANDED_OVER(on_poll_end, napi_poll)
/* by one that is not polled, as tun is: its packet is handled in the midst of a write */
HANDED_OVER(on_receive_end, netif_receive_skb_exit)

PROBE(netfilter, "tp_btf/tcp_probe")
int BPF_PROG(on_established, struct sock *sk, struct sk_buff *skb)
{
	struct packet *p = packet_of(skb);

	if (!p)
		return 0; /* from the backlog: its tcp_v4_rcv is long over */
	took(p, do_rcv_direct, 0);
	took(p, established_proc, 0);
	return 0;
}

PROBE(netfilter, "tp_btf/tcp_send_reset")
int BPF_PROG(on_reset, struct sock *sk, struct sk_buff *skb)
{
	struct packet *p = packet_of(skb);

	if (p)
		took(p, rst_sent, 0);
	return 0;
}

/*
 * The listener's copy for the new connection leaves LISTEN when the handshake's last packet is there, or with the SYN,
 * which asks no request, where that opens fast. It closes at once when another CPU was faster; the packet goes on to that
 * one's connection.
 */
PROBE(netfilter, "tp_btf/inet_sock_set_state")
int BPF_PROG(on_state, struct sock *sk, int old, int new)
{
	struct packet *p = any_packet();

	if (!p || !p->skb || sk->__sk_common.skc_num != p->dport)
		return 0;
	if (old == TCP_LISTEN && new == TCP_SYN_RECV && !p->is_syn)
		took(p, new_syn_recv, 0);
	else if (old == TCP_SYN_RECV && new == TCP_CLOSE && p->branches & 1U << new_syn_recv)
		took(p, req_stolen, 0);
	return 0;
}

static __always_inline bool queue_is_full(struct sock *sk)
{
	return BPF_CORE_READ(sk, sk_ack_backlog) > BPF_CORE_READ(sk, sk_max_ack_backlog);
}

static __always_inline bool is_listening(struct sock *sk)
{
	return BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_LISTEN;
}

/* What was pending was not the packet's end. */
static __always_inline void settle(struct packet *p)
{
	if (p->pending)
		took(p, p->pending, 0);
	p->pending = 0;
}

/* A call with the packet in hand. */
#define CALL(source, name, function, does, ...)             \
	PROBE(source, "fentry/" #function)                  \
	int BPF_PROG(source##_##name, __VA_ARGS__)          \
	{                                                   \
		struct packet *p = packet_of(skb);          \
                                                            \
		if (p) {                                    \
			does;                               \
		}                                           \
		return 0;                                   \
	}

/* fastopen is a bool, and before 5.13 only its lowest byte is written. */
#define CALLS(source)                                                                                               \
	PROBE(source, "fentry/tcp_v4_rcv")                                                                          \
	int BPF_PROG(source##_begin, struct sk_buff *skb)                                                           \
	{                                                                                                           \
		enter(skb, false);                                                                                  \
		return 0;                                                                                           \
	}                                                                                                           \
	PROBE(source, "fexit/tcp_check_req")                                                                        \
	int BPF_PROG(source##_stolen, struct sock *sk, struct sk_buff *skb)                                         \
	{                                                                                                           \
		struct packet *p = packet_of(skb);                                                                  \
		bool *stolen = 0, is_stolen = false;                                                                \
                                                                                                                    \
		/* by reading ctx: before 5.13 the verifier refuses an argument that points to no struct */         \
		bpf_probe_read_kernel(&stolen, sizeof(stolen), &ctx[4]);                                            \
		bpf_probe_read_kernel(&is_stolen, 1, stolen);                                                       \
		if (p && is_stolen)                                                                                 \
			took(p, req_stolen, 0);                                                                     \
		return 0;                                                                                           \
	}                                                                                                           \
	CALL(source, timewait, tcp_timewait_state_process, p->pending = time_wait, void *tw, struct sk_buff *skb)   \
	CALL(source, request, tcp_check_req, if (!(u8)fastopen) took(p, new_syn_recv, 0), struct sock *sk,          \
	     struct sk_buff *skb, void *req, u64 fastopen)                                                          \
	CALL(source, receive, tcp_v4_do_rcv, settle(p); took(p, is_listening(sk) ? listen_state : do_rcv_direct, 0),\
	     struct sock *sk, struct sk_buff *skb)                                                                  \
	CALL(source, established, tcp_rcv_established, took(p, established_proc, 0), struct sock *sk,               \
	     struct sk_buff *skb)                                                                                   \
	CALL(source, reset, tcp_v4_send_reset, if (!p->is_reset) took(p, rst_sent, 0), struct sock *sk,             \
	     struct sk_buff *skb)                                                                                   \
	CALL(source, connect, tcp_conn_request, if (queue_is_full(sk)) took(p, listen_overflow, 0), void *ops,      \
	     void *af_ops, struct sock *sk, struct sk_buff *skb)

CALLS(fentry)
CALLS(fexit)

/* Whether the backlog takes it is known when the packet is freed, or is not. */
CALL(fentry, backlog, tcp_add_backlog, p->pending = socket_busy, struct sock *sk, struct sk_buff *skb)

PROBE(fentry, "fexit/tcp_v4_rcv")
int BPF_PROG(fentry_finish, struct sk_buff *skb)
{
	struct packet *p = packet_of(skb);

	if (p) {
		settle(p);
		p->skb = 0;
	}
	return 0;
}

PROBE(fexit, "fexit/tcp_v4_rcv")
int BPF_PROG(fexit_finish, struct sk_buff *skb)
{
	struct packet *p = packet_of(skb);

	if (!p)
		return 0;
	if (p->pending == pkt_too_small)
		took(p, pkt_too_small, SKB_DROP_REASON_PKT_TOO_SMALL);
	else if (p->pending == not_for_host)
		took(p, not_for_host, SKB_DROP_REASON_NOT_SPECIFIED);
	settle(p);
	/* A packet that is too far from home is the only one that leaves without any call. */
	if (p->branches == 1U << entry)
		took(p, min_ttl_drop, SKB_DROP_REASON_TCP_MINTTL);
	p->skb = 0;
	return 0;
}

/* The last packet of a handshake finds the listener's queue full. */
PROBE(fentry, "fexit/tcp_v4_syn_recv_sock")
int BPF_PROG(fentry_overflow, struct sock *sk, struct sk_buff *skb)
{
	struct packet *p = packet_of(skb);
	u64 child = 1;

	bpf_get_func_ret(ctx, &child);
	if (p && !child && queue_is_full(sk))
		p->overflow = true;
	return 0;
}

#define RETURNS(name, function, condition, branch, reason, ...) \
	PROBE(fexit, "fexit/" #function)                        \
	int BPF_PROG(fexit_##name, __VA_ARGS__)                 \
	{                                                       \
		struct packet *p = packet_of(skb);              \
                                                                \
		if (p && (condition))                           \
			took(p, branch, reason);                \
		return 0;                                       \
	}

RETURNS(overflow, tcp_v4_syn_recv_sock, !child && queue_is_full(sk), listen_overflow, SKB_DROP_REASON_TCP_LISTEN_OVERFLOW,
	struct sock *sk, struct sk_buff *skb, void *req, void *dst, void *unhash, void *own, void *child)
RETURNS(checksum, __skb_checksum_complete, (u16)sum != 0, checksum_error, SKB_DROP_REASON_TCP_CSUM,
	struct sk_buff *skb, u64 sum)
RETURNS(policy, __xfrm_policy_check, (int)allowed == 0, xfrm_policy_drop, SKB_DROP_REASON_XFRM_POLICY,
	struct sock *sk, int dir, struct sk_buff *skb, u16 family, u64 allowed)
RETURNS(filter, sk_filter_trim_cap, (int)err != 0, socket_filter_drop, SKB_DROP_REASON_SOCKET_FILTER,
	struct sock *sk, struct sk_buff *skb, u32 cap, u64 err)
RETURNS(backlog, tcp_add_backlog, true, socket_busy,
	(u8)full != 0 && !(p->branches & 1U << checksum_error) ? SKB_DROP_REASON_SOCKET_BACKLOG : 0,
	struct sock *sk, struct sk_buff *skb, u64 full)
RETURNS(signature, tcp_v4_inbound_md5_hash, (u8)bad != 0, md5_hash_fail, SKB_DROP_REASON_TCP_MD5FAILURE,
	struct sock *sk, struct sk_buff *skb, int dif, int sdif, u64 bad)

/* A reset that nobody's socket sends: there is none. */
PROBE(fexit, "fentry/tcp_v4_send_reset")
int BPF_PROG(fexit_nobody, struct sock *sk, struct sk_buff *skb)
{
	struct packet *p = packet_of(skb);

	if (p && !sk)
		took(p, no_socket, SKB_DROP_REASON_NO_SOCKET);
	return 0;
}

#define HAS(name) bpf_core_enum_value_exists(enum skb_drop_reason, SKB_DROP_REASON_##name)

#define IS(reason, name) \
	(HAS(name) && (reason) == bpf_core_enum_value(enum skb_drop_reason, SKB_DROP_REASON_##name))

/* The branch that drops a packet for this reason. */
static __always_inline enum branch branch_of(u32 reason)
{
	if (IS(reason, NO_SOCKET))
		return no_socket;
	if (IS(reason, TCP_CSUM))
		return checksum_error;
	if (IS(reason, SOCKET_FILTER))
		return socket_filter_drop;
	if (IS(reason, SOCKET_BACKLOG))
		return socket_busy;
	if (IS(reason, PKT_TOO_SMALL))
		return pkt_too_small;
	if (IS(reason, XFRM_POLICY))
		return xfrm_policy_drop;
	if (IS(reason, TCP_MD5NOTFOUND) || IS(reason, TCP_MD5UNEXPECTED) || IS(reason, TCP_MD5FAILURE) ||
	    IS(reason, TCP_AUTH_HDR))
		return md5_hash_fail;
	if (IS(reason, TCP_MINTTL))
		return min_ttl_drop;
	if (IS(reason, TCP_LISTEN_OVERFLOW))
		return listen_overflow;
	if (IS(reason, TCP_RFC7323_TW_PAWS))
		return time_wait;
	return do_rcv_drop;
}

/* sees: the functions too, so that what has no reason and is no other branch is do_rcv_drop. */
static __always_inline void dropped(struct packet *p, u32 reason, bool sees)
{
	enum branch branch = p->overflow ? listen_overflow : branch_of(reason);

	p->skb = 0;
	if (IS(reason, QUEUE_PURGE)) /* a socket that closes frees what it took */
		return settle(p);
	if (branch == do_rcv_drop && p->pending)
		branch = p->pending;
	else if (branch == do_rcv_drop && sees && HAS(XFRM_POLICY) && !HAS(TCP_MINTTL) && p->branches == 1U << entry)
		branch = min_ttl_drop; /* 5.18 and later name all that leave without any call, but for this one at first */
	if (p->pending == branch)
		p->pending = 0;
	settle(p);
	if (sees || branch != do_rcv_drop || !IS(reason, NOT_SPECIFIED))
		took(p, branch, reason);
}

#define DROPS(source, sees)                                                          \
	PROBE(source, "tp_btf/kfree_skb")                                            \
	int BPF_PROG(source##_drop, struct sk_buff *skb, void *location, u32 reason) \
	{                                                                            \
		struct packet *p = packet_of(skb);                                   \
                                                                                     \
		if (p && holds(skb, p))                                              \
			dropped(p, reason, sees);                                    \
		return 0;                                                            \
	}
DROPS(netfilter, false)
DROPS(fentry, true)

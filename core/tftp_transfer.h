/* One TFTP transfer as a state machine: which blocks to send, when to send them again,
 * when it is over. It knows neither sockets nor clocks nor files: packets and times are
 * fed in, so that every loss can be tried in a test.
 *
 *   start ─► [OACK sent, ACK 0 awaited] ─► window sent ─► ACK ─► next window … ─► DONE
 *                                              ▲  │ no ACK in time
 *                                              └──┘
 *
 * Blocks count from 1 in 64 bits; only their low 16 bits go on the wire (RFC 1350 does
 * not say what follows 65535; 0 is what clients expect). A window is small against
 * 65536, so these bits say which block an ACK means.
 *
 * Times are milliseconds of any clock that does not go backwards. */
#ifndef MOONBOOT_TFTP_TRANSFER_H
#define MOONBOOT_TFTP_TRANSFER_H

#include <stdbool.h>
#include <stdint.h>

#define TFTP_TRANSFER_TRIES      5    /* times that a window is sent again, then it is over */
#define TFTP_TRANSFER_TIMEOUT_MS 1000 /* until it is sent again for the first time */
/* A client that was never heard may be nobody at all, under an address that it made up. */
#define TFTP_TRANSFER_UNHEARD_MS 30000
#define TFTP_TRANSFER_LONGEST_MS 16000 /* the back-off doubles up to here */
#define TFTP_TRANSFER_QUICK_MS   10    /* see tftp_transfer_ack */
/* Where round trips have been seen a loss shows long before the time-out: so often is a
 * window sent again, not sooner than this. */
#define TFTP_TRANSFER_EARLY_TRIES 3
#define TFTP_TRANSFER_EARLY_MS    100
#define TFTP_TRANSFER_NO_LAST     UINT64_MAX

enum tftp_transfer_step {
    TFTP_TRANSFER_WAIT, /* nothing to do before the deadline, or a packet */
    TFTP_TRANSFER_SEND, /* the OACK if `negotiating`, else what tftp_transfer_due says */
    TFTP_TRANSFER_DONE, /* the client has everything, as far as can be known */
    TFTP_TRANSFER_LOST  /* the client does not answer any more */
};

/* acked <= sent <= highest <= acked + window */
struct tftp_transfer {
    uint64_t acked;   /* the client has the blocks up to here */
    uint64_t sent;    /* the last block of the present round that went out */
    uint64_t highest; /* the last block that ever went out; an ACK beyond it is nonsense */
    uint64_t last;    /* the final block, or TFTP_TRANSFER_NO_LAST while nobody knows */
    uint32_t window;  /* blocks */
    bool negotiating; /* the OACK is not acknowledged yet */
    bool heard;       /* an ACK has come */

    int64_t started;      /* the transfer */
    int64_t deadline;     /* when to call tftp_transfer_expire */
    int64_t began;        /* when this round's first packet went out */
    int64_t timeout;      /* of the first try */
    int64_t round_trip;   /* smoothed */
    int64_t deviation;    /* of it, the same way */
    int64_t early;        /* until a repetition before the time-out; 0: nothing measured yet */
    bool asked;           /* the client named the time-out: nothing is sent again before it */
    unsigned tries;       /* rounds lost since the client last got on */
    unsigned early_tries; /* repetitions since then that count as no loss */
    bool hastened;        /* the deadline was pulled forward since then */
    bool quick;           /* this deadline is before the time-out */
};

/* `timeout` in milliseconds as the client asked for it (RFC 2349), 0 for the usual. With `oack` an
 * OACK goes first. The first step is TFTP_TRANSFER_SEND. */
void tftp_transfer_start(struct tftp_transfer *t, uint32_t window, int64_t timeout, bool oack,
                         int64_t now);

/* How many blocks are to be sent now, from `sent` + 1 on. */
uint32_t tftp_transfer_due(const struct tftp_transfer *t);

/* `n` of them have been sent, or with n = 0 the OACK.
 *
 * The deadline is the time-out. But once round trips have been measured (RFC 6298), and
 * unless the client named a time-out of its own (RFC 2349: that is then kept), the window
 * is sent again after about as long as they take, then twice and four times that: a client
 * that is only slow gets it again at most so often. */
void tftp_transfer_sent(struct tftp_transfer *t, uint32_t n, int64_t now);

/* An ACK came.
 *
 * One inside the window moves the window there: what follows has not arrived in order
 * and is sent again (RFC 7440, 4). One for an older block, or for one never sent, does
 * nothing. One that repeats the last ACK is never answered with data at once, or
 * duplicated ACKs would double every packet from there on ("Sorcerer's Apprentice",
 * RFC 1123, 4.2.3.1). But with a window it is also how a client says that the first
 * block of the window got lost: if then nothing moves for two round trips, the window
 * is sent again without waiting for the time-out, once. */
enum tftp_transfer_step tftp_transfer_ack(struct tftp_transfer *t, uint16_t block, int64_t now);

/* Time has passed: WAIT when the deadline has moved on meanwhile. When the final block
 * has been sent and no ACK comes for it, the transfer is DONE: clients that have all
 * they want often just leave. */
enum tftp_transfer_step tftp_transfer_expire(struct tftp_transfer *t, int64_t now);

/* No ACK has come yet: a second request from the same port is the same request. */
bool tftp_transfer_fresh(const struct tftp_transfer *t);

/* The final block has been sent, at least once. */
bool tftp_transfer_all_sent(const struct tftp_transfer *t);

#endif

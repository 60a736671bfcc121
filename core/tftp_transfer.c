#include "tftp_transfer.h"

void tftp_transfer_start(struct tftp_transfer *t, uint32_t window, int64_t timeout, bool oack,
                         int64_t now)
{
    *t = (struct tftp_transfer){
        .last = TFTP_TRANSFER_NO_LAST,
        .window = window,
        .negotiating = oack,
        .timeout = timeout ? timeout : TFTP_TRANSFER_TIMEOUT_MS,
        .asked = timeout != 0,
    };
    t->began = t->started = now;
    t->deadline = now + t->timeout;
}

uint32_t tftp_transfer_due(const struct tftp_transfer *t)
{
    if (t->negotiating)
        return 0;
    uint64_t end = t->acked + t->window;
    if (end > t->last)
        end = t->last;
    return (uint32_t)(end - t->sent);
}

/* How long to wait for an answer to the present try. */
static int64_t patience(const struct tftp_transfer *t)
{
    int64_t longest = t->timeout > TFTP_TRANSFER_LONGEST_MS ? t->timeout : TFTP_TRANSFER_LONGEST_MS;
    int64_t wait = t->timeout << t->tries;
    return wait < longest ? wait : longest;
}

/* Whether the window is sent again before the time-out. */
static bool repeats_early(const struct tftp_transfer *t)
{
    return t->early && t->early < t->timeout && !t->asked && t->tries == 0 &&
           t->early_tries < TFTP_TRANSFER_EARLY_TRIES;
}

void tftp_transfer_sent(struct tftp_transfer *t, uint32_t n, int64_t now)
{
    if (t->sent == t->acked)
        t->began = now;
    t->sent += n;
    if (t->highest < t->sent)
        t->highest = t->sent;
    t->quick = repeats_early(t);
    t->deadline = now + (t->quick ? t->early : patience(t));
}

/* RFC 6298, 2: the round trip, how much it varies, and what is to be waited for it. */
static void measure(struct tftp_transfer *t, int64_t sample)
{
    int64_t off = sample > t->round_trip ? sample - t->round_trip : t->round_trip - sample;
    bool first = t->early == 0;
    t->deviation = first ? sample / 2 : (3 * t->deviation + off) / 4;
    t->round_trip = first ? sample : (7 * t->round_trip + sample) / 8;
    t->early = t->round_trip + 4 * t->deviation;
    if (t->early < TFTP_TRANSFER_EARLY_MS)
        t->early = TFTP_TRANSFER_EARLY_MS;
}

/* The client got on: the next round starts afresh. */
static void progress(struct tftp_transfer *t, int64_t now)
{
    /* Karn: an ACK after a repetition does not say which of the two it answers. */
    if (t->tries == 0 && t->early_tries == 0 && !t->hastened)
        measure(t, now - t->began);
    t->heard = true;
    t->tries = t->early_tries = 0;
    t->hastened = false;
    t->quick = false;
    t->deadline = now + t->timeout;
}

/* The client asks for the window again, or the network has doubled its last ACK. */
static void hasten(struct tftp_transfer *t, int64_t now)
{
    if (t->hastened || t->window == 1 || tftp_transfer_due(t))
        return;
    int64_t wait = 2 * t->round_trip;
    if (wait < TFTP_TRANSFER_QUICK_MS)
        wait = TFTP_TRANSFER_QUICK_MS;
    if (now + wait >= t->deadline)
        return;
    t->hastened = true;
    t->quick = true;
    t->deadline = now + wait;
}

enum tftp_transfer_step tftp_transfer_ack(struct tftp_transfer *t, uint16_t block, int64_t now)
{
    if (t->negotiating) {
        if (block != 0)
            return TFTP_TRANSFER_WAIT;
        t->negotiating = false;
        progress(t, now);
        return TFTP_TRANSFER_SEND;
    }
    uint64_t step = (uint16_t)(block - (uint16_t)t->acked);
    if (step == 0) {
        hasten(t, now);
        return TFTP_TRANSFER_WAIT;
    }
    if (step > t->highest - t->acked)
        return TFTP_TRANSFER_WAIT;
    t->acked += step;
    t->sent = t->acked;
    progress(t, now);
    return t->acked == t->last ? TFTP_TRANSFER_DONE : TFTP_TRANSFER_SEND;
}

enum tftp_transfer_step tftp_transfer_expire(struct tftp_transfer *t, int64_t now)
{
    if (now < t->deadline)
        return TFTP_TRANSFER_WAIT;
    if (t->quick) {
        /* The client is there: this round does not count as lost. What is waited stays
         * doubled until a round trip is measured again, which may have become longer. */
        t->early_tries++;
        t->early = t->early < t->timeout ? 2 * t->early : t->early;
    } else if (t->tries == TFTP_TRANSFER_TRIES ||
               (!t->heard && now - t->started >= TFTP_TRANSFER_UNHEARD_MS)) {
        return tftp_transfer_all_sent(t) ? TFTP_TRANSFER_DONE : TFTP_TRANSFER_LOST;
    } else {
        t->tries++;
    }
    t->sent = t->acked;
    t->quick = false;
    t->deadline = now + patience(t);
    return TFTP_TRANSFER_SEND;
}

bool tftp_transfer_fresh(const struct tftp_transfer *t)
{
    return !t->heard;
}

bool tftp_transfer_all_sent(const struct tftp_transfer *t)
{
    return t->highest == t->last;
}

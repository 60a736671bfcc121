/* A TFTP client's side of one read as a state machine (RFC 1350, 2347-2349, 7440): packets
 * and times are fed in, what to send stands in it. Times are nanoseconds. */
#ifndef BENCH_READER_H
#define BENCH_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define READER_PACKET_MAX 600
#define READER_BLOCK_MAX  65464
#define READER_TRIES      6

struct reader_options {
    const char *file;
    uint32_t blksize;    /* 0: not asked for */
    uint32_t windowsize; /* 0: not asked for */
    bool tsize;
    bool probe;      /* ask for tsize, and leave again when it is known: as UEFI begins */
    int64_t timeout; /* until a packet is sent again */
};

enum reader_step {
    READER_WAIT,
    READER_SEND,  /* what `out` holds */
    READER_DONE,  /* all is read, or the probe answered; send what `out` holds */
    READER_FAILED /* for the reason `why` */
};

struct reader {
    const struct reader_options *options;
    bool asking;     /* nothing has come yet */
    uint32_t window; /* granted */
    uint32_t blksize;
    uint32_t in_window; /* blocks that came since the last ACK */
    bool complained;    /* of a gap, since the last block in order */
    unsigned tries;
    unsigned retries; /* in all */
    uint64_t next;    /* the block that is wanted, from 1 on */
    int64_t tsize;    /* -1: not told */
    uint64_t bytes;
    uint64_t sum; /* of all data so far: reader_sum */
    int64_t deadline;
    size_t out_len;
    char why[128];
    uint8_t out[READER_PACKET_MAX];
};

/* A read request is in `out` afterwards. `options` must live as long. */
void reader_start(struct reader *r, const struct reader_options *options, int64_t now);

/* A datagram of the server's. */
enum reader_step reader_take(struct reader *r, const uint8_t *data, size_t len, int64_t now);

/* The deadline has come: the last packet again, or the end. */
enum reader_step reader_expire(struct reader *r, int64_t now);

/* A checksum of a file that is read in blocks of `blksize`: of what came before, and one
 * block more. It tells blocks that are wrong, missing, twice, or in another order. */
uint64_t reader_sum(uint64_t before, const uint8_t *block, size_t len);

/* The same of a whole file. */
uint64_t reader_sum_file(const uint8_t *data, size_t len, size_t blksize);

#endif

/* libFuzzer entry for TFTP: a datagram as a request, as an ACK or ERROR, and as a course
 * of events for the state machine of a transfer, whose invariants must hold. */
#include <stdlib.h>
#include <string.h>

#include "tftp.h"
#include "tftp_transfer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void fuzz_request(const uint8_t *data, size_t len)
{
    struct tftp_request r;
    if (!tftp_request_parse(data, len, &r))
        return;
    const struct tftp_options *o = &r.options;
    require(memchr(r.file, 0, len - 2) != NULL);
    require(!o->blksize || (o->blksize >= TFTP_BLKSIZE_MIN && o->blksize <= TFTP_BLKSIZE_MAX));
    require(o->windowsize <= TFTP_WINDOWSIZE_MAX);
    enum tftp_error code;
    const char *why = tftp_request_refusal(&r, &code);
    require(why || (strlen(r.file) <= TFTP_NAME_MAX && r.opcode == TFTP_RRQ));
    uint8_t out[TFTP_REPLY_MAX];
    size_t n = tftp_put_oack(out, o);
    require(n >= 2 && n < TFTP_REPLY_MAX && (n == 2) == tftp_options_empty(o));
    n = tftp_put_error(out, code, why ? why : r.file);
    struct tftp_packet packet;
    require(tftp_packet_parse(out, n, &packet) && packet.number == code);
}

static void fuzz_packet(const uint8_t *data, size_t len)
{
    struct tftp_packet packet;
    if (tftp_packet_parse(data, len, &packet) && packet.message.len)
        require(packet.message.data + packet.message.len <= data + len);
}

static void fuzz_netascii(const uint8_t *data, size_t len)
{
    uint8_t *out = malloc(2 * len + 1);
    require(tftp_netascii(data, len, out) <= 2 * len);
    free(out);
}

/* Two bytes an event: what it is, and its argument. */
static void fuzz_transfer(const uint8_t *data, size_t len)
{
    struct tftp_transfer t;
    int64_t now = 0;
    if (len < 4)
        return;
    tftp_transfer_start(&t, 1 + data[0] % 64, data[1] * 1000, data[2] & 1, now);
    if (data[2] & 2)
        t.last = 1 + data[3];
    for (size_t i = 4; i + 1 < len; i += 2) {
        enum tftp_transfer_step step = TFTP_TRANSFER_WAIT;
        uint32_t due = tftp_transfer_due(&t);
        uint64_t acked = t.acked;
        switch (data[i] % 4) {
        case 0:
            tftp_transfer_sent(&t, due ? 1 + data[i + 1] % due : 0, now);
            break;
        case 1:
            step = tftp_transfer_ack(&t, (uint16_t)(t.acked + data[i + 1]), now);
            break;
        case 2:
            step = tftp_transfer_ack(&t, (uint16_t)(data[i] << 8 | data[i + 1]), now);
            break;
        case 3:
            now += data[i + 1] * 100;
            step = tftp_transfer_expire(&t, now);
            break;
        }
        require(acked <= t.acked && t.acked <= t.sent && t.sent <= t.highest);
        require(t.highest <= t.acked + t.window && t.highest <= t.last);
        require(tftp_transfer_due(&t) <= t.window && t.tries <= TFTP_TRANSFER_TRIES);
        if (step == TFTP_TRANSFER_DONE || step == TFTP_TRANSFER_LOST)
            return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    fuzz_request(data, len);
    fuzz_packet(data, len);
    fuzz_netascii(data, len);
    fuzz_transfer(data, len);
    return 0;
}

/* The server, asked packet by packet. */
#include "tftp_world.h"

static void test_sizes_around_a_block(void **state)
{
    (void)state;
    struct world w;
    struct peer p;
    setup_world(&w);
    static const size_t sizes[] = {0, 1, 511, 512, 513, 1024, 70000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        make_file(&w, "file", sizes[i]);
        open_peer(&p, &w, "127.0.0.1");
        request(&p, "file|octet|");
        fetch_rest(&p, 512, 1, sizes[i]);
        close(p.fd);
    }
    assert_int_equal(counted(&w, METRICS_TFTP_COMPLETED), 7);
    assert_int_equal(counted(&w, METRICS_TFTP_REQUESTS), 7);
    assert_int_equal(counted(&w, METRICS_TFTP_BYTES), 0 + 1 + 511 + 512 + 513 + 1024 + 70000);
    assert_int_equal(counted(&w, METRICS_TFTP_RETRANSMITS), 0);
    close_world(&w);
}

static void test_every_window_and_block_size(void **state)
{
    (void)state;
    struct world w;
    struct peer p;
    setup_world(&w);
    make_file(&w, "file", 300000);
    static const unsigned windows[] = {1, 2, 4, 16, 64};
    static const unsigned sizes[] = {8, 512, 1024, 1428, 1468};
    for (size_t i = 0; i < 5; i++) {
        for (size_t j = i ? 1 : 0; j < 5; j++) {
            char text[128], granted[128];
            /* With a time-out of its own a client that is slow to answer gets nothing twice. */
            snprintf(text, sizeof text, "file|octet|BLKSIZE|%u|WindowSize|%u|timeout|9|", sizes[j],
                     windows[i]);
            snprintf(granted, sizeof granted, "blksize|%u|timeout|9|windowsize|%u|", sizes[j],
                     windows[i]);
            open_peer(&p, &w, "127.0.0.1");
            request(&p, text);
            expect_oack(&p, granted);
            ack(&p, 0);
            fetch_rest(&p, sizes[j], windows[i], 300000);
            close(p.fd);
        }
    }
    close_world(&w);
}

static void test_block_number_wraps(void **state)
{
    (void)state;
    struct world w;
    struct peer p;
    setup_world(&w);
    make_file(&w, "file", 2 * 65536 * 8 + 80);
    open_peer(&p, &w, "127.0.0.1");
    request(&p, "file|octet|blksize|8|windowsize|16|timeout|9|");
    expect_oack(&p, "blksize|8|timeout|9|windowsize|16|");
    ack(&p, 0);
    fetch_rest(&p, 8, 16, 2 * 65536 * 8 + 80);
    close(p.fd);
    close_world(&w);
}

static void test_options(void **state)
{
    (void)state;
    struct world w;
    struct peer p;
    setup_world(&w);
    make_file(&w, "file", 1000);
    static const struct {
        const char *asked, *granted;
    } cases[] = {
        {"file|octet|tsize|0|", "tsize|1000|"},
        {"file|octet|tsize|0|blksize|1468|windowsize|4|", "tsize|1000|blksize|1468|windowsize|4|"},
        {"file|octet|timeout|3|", "timeout|3|"},
        {"file|octet|multicast||blksize|600|x|y|", "blksize|600|"},
        {"file|octet|blksize|70000|", "blksize|65464|"},
        {"file|octet|windowsize|65535|", "windowsize|64|"},
        {"empty-body|octet|tsize|0|timeout|2|", "timeout|2|"}, /* curl wants no 0 */
        {"file|octet|windowsize|64|blksize|65464|", "blksize|65464|windowsize|1|"},
        {"file|netascii|tsize|0|blksize|512|", "blksize|512|"},
        {"body|octet|tsize|0|", "tsize|12|"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        open_peer(&p, &w, "127.0.0.1");
        request(&p, cases[i].asked);
        expect_oack(&p, cases[i].granted);
        assert_int_not_equal(ntohs(p.from.sin_port), w.port);
        abort_transfer(&p);
        close(p.fd);
    }
    static const char *const without[] = {"file|octet|multicast||", "file|octet|blksize|7|",
                                          "file|octet|timeout|0|timeout|256|",
                                          "file|netascii|tsize|0|", "file|octet|blksize|"};

    for (size_t i = 0; i < sizeof without / sizeof *without; i++) {
        open_peer(&p, &w, "127.0.0.1");
        request(&p, without[i]);
        expect_data(&p, 1, 512);
        abort_transfer(&p);
        close(p.fd);
    }
    assert_int_equal(counted(&w, METRICS_TFTP_ABORTED), 15);
    close_world(&w);
}

static void test_netascii(void **state)
{
    (void)state;
    struct world w;
    struct peer p;
    setup_world(&w);
    char path[128];
    snprintf(path, sizeof path, "%s/text", w.directory);
    FILE *f = fopen(path, "w");
    for (int i = 0; i < 30000; i++)
        fputs("\n\r", f);
    fclose(f);
    open_peer(&p, &w, "127.0.0.1");
    request(&p, "text|netascii|blksize|1001|windowsize|4|");
    expect_oack(&p, "blksize|1001|windowsize|4|");
    ack(&p, 0);
    size_t got = 0;
    for (uint16_t block = 1;; block++) {
        receive(&p);
        assert_int_equal(number_of(&p), block);
        for (size_t i = 4; i < p.len; i++, got++)
            assert_int_equal(p.data[i], "\r\n\r\0"[got % 4]);
        if (p.len < 1005 || block % 4 == 0)
            ack(&p, block);
        if (p.len < 1005)
            break;
    }
    assert_int_equal(got, 120000);
    close(p.fd);
    close_world(&w);
}

static void test_refusals(void **state)
{
    (void)state;
    struct world w;
    struct peer p;
    setup_world(&w);
    open_peer(&p, &w, "127.0.0.1");
    request(&p, "nothing|octet|");
    expect_error(&p, TFTP_NOT_FOUND, "file not found");
    request(&p, "denied|octet|");
    expect_error(&p, TFTP_ACCESS, "not for you");
    request(&p, "failed|octet|");
    expect_error(&p, TFTP_UNDEFINED, "policy.lua:3: no");
    request(&p, "dhcp|octet|");
    expect_error(&p, TFTP_UNDEFINED, "internal error");
    request(&p, "../etc/passwd|octet|");
    expect_error(&p, TFTP_ACCESS, "access violation");
    request(&p, "/etc/passwd|octet|");
    expect_error(&p, TFTP_ACCESS, "access violation");
    char path[128];
    snprintf(path, sizeof path, "%s/link", w.directory);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    request(&p, "link|octet|");
    expect_error(&p, TFTP_ACCESS, "access violation");
    size_t asked = w.policy.n_asked;
    request(&p, "a\tb|octet|");
    expect_error(&p, TFTP_ACCESS, "control characters in the file name");
    request(&p, "file|mail|");
    expect_error(&p, TFTP_ILLEGAL, "the mode must be octet or netascii");
    send_to_port(&p, w.port, "\0\2file\0octet", 13);
    expect_error(&p, TFTP_ACCESS, "read-only");
    assert_int_equal(w.policy.n_asked, asked);
    request(&p, "silence|octet|");
    nothing_comes(&p, 50);
    assert_int_equal(counted(&w, METRICS_TFTP_REFUSED), 10);

    send_to_port(&p, w.port, "\0\4\0\1", 4);
    send_to_port(&p, w.port, "\0\5\0\1no", 7);
    send_to_port(&p, w.port, "\0\1file\0oct", 10);
    send_to_port(&p, w.port, "", 0);
    nothing_comes(&p, 50);
    assert_int_equal(counted(&w, METRICS_TFTP_MALFORMED), 3);
    close(p.fd);
    close_world(&w);
}

static void test_what_is_sent_instead_of_a_missing_file(void **state)
{
    (void)state;
    struct world w;
    struct peer p;
    setup_world(&w);
    open_peer(&p, &w, "127.0.0.1");
    request(&p, "otherwise|octet|");
    receive(&p);
    assert_int_equal(p.data[1], 3);
    assert_memory_equal(p.data + 4, BODY, strlen(BODY));
    close(p.fd);
    make_file(&w, "otherwise", 100);
    open_peer(&p, &w, "127.0.0.1");
    request(&p, "otherwise|octet|");
    receive(&p);
    assert_int_equal(p.len, 104);
    close(p.fd);
    close_world(&w);
}

static void test_what_the_policy_sees(void **state)
{
    (void)state;
    struct world w;
    struct peer p;
    setup_world(&w);
    open_peer(&p, &w, "127.0.0.5");
    request(&p, "\\Boot\\X64\\file.efi|octet|");
    receive(&p);
    assert_int_equal(w.policy.last.protocol, REQUEST_TFTP);
    assert_int_equal(w.policy.last.client.s_addr, inet_addr("127.0.0.5"));
    assert_int_equal(w.policy.last.server.s_addr, inet_addr("127.0.0.1"));
    assert_string_equal(w.policy.last.interface, "lo");
    assert_string_equal(w.policy.last_file, "\\Boot\\X64\\file.efi");
    close(p.fd);
    close_world(&w);
}

/* The server answers from the address that was asked, also for errors. */
static void test_answers_come_from_the_address_asked(void **state)
{
    (void)state;
    struct world w;
    struct peer p;
    setup_world(&w);
    open_peer(&p, &w, "127.0.0.1");
    static const char *const packets[] = {"\0\1body\0octet", "\0\1none\0octet"};
    for (size_t i = 0; i < 2; i++) {
        struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(w.port)};
        to.sin_addr.s_addr = inet_addr("127.0.0.77");
        sendto(p.fd, packets[i], 13, 0, (struct sockaddr *)&to, sizeof to);
        receive(&p);
        assert_int_equal(p.from.sin_addr.s_addr, to.sin_addr.s_addr);
    }
    close(p.fd);
    close_world(&w);
}

/* OVMF and others: tsize, then ERROR 8, then the same again from the same port. */
static void test_probe(void **state)
{
    (void)state;
    struct world w;
    struct peer p;
    setup_world(&w);
    make_file(&w, "file", 1000);
    open_peer(&p, &w, "127.0.0.1");
    for (int i = 0; i < 3; i++) {
        request(&p, "file|octet|tsize|0|");
        expect_oack(&p, "tsize|1000|");
        abort_transfer(&p);
    }
    request(&p, "file|octet|");
    fetch_rest(&p, 512, 1, 1000);
    close(p.fd);
    close_world(&w);
}

static void test_repeated_request(void **state)
{
    (void)state;
    struct world w;
    struct peer p;
    setup_world(&w);
    make_file(&w, "file", 1000);
    open_peer(&p, &w, "127.0.0.1");
    for (int i = 0; i < 5; i++)
        request(&p, "file|octet|");
    expect_data(&p, 1, 512);
    nothing_comes(&p, 50);
    ack(&p, 1);
    expect_data(&p, 2, 488);
    request(&p, "file|octet|"); /* late */
    nothing_comes(&p, 50);
    assert_int_equal(w.policy.n_asked, 1);
    request(&p, "file|octet|blksize|600|"); /* another one, although from the same port */
    expect_oack(&p, "blksize|600|");
    assert_int_equal(w.policy.n_asked, 2);
    close(p.fd);
    close_world(&w);
}

static void test_repeated_request_while_the_policy_decides(void **state)
{
    (void)state;
    struct world w;
    struct peer p;
    setup_world(&w);
    open_peer(&p, &w, "127.0.0.1");
    request(&p, "hold|octet|");
    request(&p, "hold|octet|");
    nothing_comes(&p, 20);
    assert_int_equal(w.policy.n_held, 1);
    w.policy.held[0].done(body_of(BODY), w.policy.held[0].arg);
    expect_data(&p, 1, strlen(BODY));
    assert_memory_equal(p.data + 4, BODY, strlen(BODY));
    ack(&p, 1);
    close(p.fd);
    close_world(&w);
}

static void test_retransmission(void **state)
{
    (void)state;
    struct world w;
    struct peer p;
    setup_world(&w);
    make_file(&w, "file", 1000);
    open_peer(&p, &w, "127.0.0.1");
    request(&p, "file|octet|");
    expect_data(&p, 1, 512);
    int64_t first = now_ms();
    expect_data(&p, 1, 512);
    assert_in_range(now_ms() - first, 900, 1500);
    expect_data(&p, 1, 512);
    assert_in_range(now_ms() - first, 2900, 3500);
    ack(&p, 1);
    expect_data(&p, 2, 488);
    ack(&p, 1);
    ack(&p, 1);
    ack(&p, 0);
    ack(&p, 3);
    ack(&p, 65535);
    nothing_comes(&p, 300);
    ack(&p, 2);
    nothing_comes(&p, 1200);
    assert_int_equal(counted(&w, METRICS_TFTP_RETRANSMITS), 2);
    assert_int_equal(counted(&w, METRICS_TFTP_COMPLETED), 1);
    close(p.fd);
    close_world(&w);
}

static void test_window_resumes_after_a_gap(void **state)
{
    (void)state;
    struct world w;
    struct peer p;
    setup_world(&w);
    make_file(&w, "file", 100000);
    open_peer(&p, &w, "127.0.0.1");
    request(&p, "file|octet|windowsize|4|timeout|1|"); /* so nothing else hurries it */
    expect_oack(&p, "timeout|1|windowsize|4|");
    ack(&p, 0);
    for (unsigned i = 1; i <= 4; i++)
        expect_data(&p, i, 512);
    ack(&p, 2);
    for (unsigned i = 3; i <= 6; i++)
        expect_data(&p, i, 512);
    ack(&p, 2); /* block 3 got lost: the window again, soon but once */
    int64_t asked = now_ms();
    for (unsigned i = 3; i <= 6; i++)
        expect_data(&p, i, 512);
    assert_in_range(now_ms() - asked, 5, 500);
    ack(&p, 2);
    nothing_comes(&p, 100);
    ack(&p, 6);
    expect_data(&p, 7, 512);
    close(p.fd);
    close_world(&w);
}

static void test_other_senders_are_not_heard(void **state)
{
    (void)state;
    struct world w;
    struct peer p, stranger;
    setup_world(&w);
    make_file(&w, "file", 1000);
    open_peer(&p, &w, "127.0.0.1");
    open_peer(&stranger, &w, "127.0.0.1");
    request(&p, "file|octet|");
    expect_data(&p, 1, 512);
    stranger.from = p.from;
    ack(&stranger, 1);
    abort_transfer(&stranger);
    nothing_comes(&p, 50);
    ack(&p, 1);
    expect_data(&p, 2, 488);
    close(p.fd);
    close(stranger.fd);
    close_world(&w);
}

static void test_a_client_that_leaves(void **state)
{
    (void)state;
    struct world w;
    struct peer p;
    setup_world(&w);
    make_file(&w, "file", 1000);
    open_peer(&p, &w, "127.0.0.1");
    request(&p, "file|octet|");
    expect_data(&p, 1, 512);
    ack(&p, 1);
    close(p.fd); /* block 2 is the last one: it may have come */
    for (int i = 0; i < 5; i++)
        turn(&w);
    assert_int_equal(counted(&w, METRICS_TFTP_COMPLETED), 1);
    open_peer(&p, &w, "127.0.0.1");
    request(&p, "file|octet|");
    close(p.fd);
    for (int i = 0; i < 5; i++)
        turn(&w);
    assert_int_equal(counted(&w, METRICS_TFTP_ABORTED), 1);
    tftp_server_drain(w.servers[0]);
    assert_int_equal(w.n_idle, 1);
    close_world(&w);
}

static void test_a_file_that_shrinks(void **state)
{
    (void)state;
    struct world w;
    struct peer p;
    setup_world(&w);
    make_file(&w, "file", 100000);
    open_peer(&p, &w, "127.0.0.1");
    request(&p, "file|octet|");
    expect_data(&p, 1, 512);
    make_file(&w, "file", 600);
    for (uint16_t block = 1; block < 200; block++) {
        ack(&p, block);
        receive(&p);
        if (opcode_of(&p) == TFTP_ERROR)
            break;
        assert_int_equal(p.len, 516);
    }
    assert_int_equal(opcode_of(&p), TFTP_ERROR);
    assert_int_equal(number_of(&p), TFTP_UNDEFINED);
    assert_int_equal(counted(&w, METRICS_TFTP_ABORTED), 1);
    close(p.fd);
    close_world(&w);
}

static void test_caps(void **state)
{
    (void)state;
    struct world w;
    struct peer peers[4];
    open_world(&w, 1, 3, 2);
    static const char *const addresses[] = {"127.0.0.2", "127.0.0.2", "127.0.0.2", "127.0.0.3"};
    for (size_t i = 0; i < 4; i++)
        open_peer(&peers[i], &w, addresses[i]);
    request(&peers[0], "body|octet|");
    expect_data(&peers[0], 1, strlen(BODY));
    request(&peers[1], "hold|octet|"); /* counts while the policy decides */
    turn(&w);
    request(&peers[2], "body|octet|");
    expect_error(&peers[2], TFTP_UNDEFINED, "too many transfers, try again");
    request(&peers[3], "body|octet|");
    expect_data(&peers[3], 1, strlen(BODY));
    struct peer fifth;
    open_peer(&fifth, &w, "127.0.0.4");
    request(&fifth, "body|octet|");
    expect_error(&fifth, TFTP_UNDEFINED, "too many transfers, try again");
    ack(&peers[0], 1);
    turn(&w);
    turn(&w);
    request(&fifth, "body|octet|");
    expect_data(&fifth, 1, strlen(BODY));
    assert_int_equal(counted(&w, METRICS_TFTP_BUSY), 2);
    w.policy.held[0].done(reply_alloc(REPLY_SILENCE), w.policy.held[0].arg);
    for (size_t i = 0; i < 4; i++)
        close(peers[i].fd);
    close(fifth.fd);
    close_world(&w);
}

static void test_drain(void **state)
{
    (void)state;
    struct world w;
    struct peer p, late;
    setup_world(&w);
    make_file(&w, "file", 1000);
    open_peer(&p, &w, "127.0.0.1");
    open_peer(&late, &w, "127.0.0.1");
    request(&p, "file|octet|");
    expect_data(&p, 1, 512);
    request(&late, "hold|octet|");
    turn(&w);
    tftp_server_drain(w.servers[0]);
    assert_int_equal(w.n_idle, 0);
    request(&late, "body|octet|");
    nothing_comes(&late, 30);
    ack(&p, 1);
    expect_data(&p, 2, 488);
    ack(&p, 2);
    turn(&w);
    turn(&w);
    assert_int_equal(w.n_idle, 0);
    w.policy.held[0].done(body_of(""), w.policy.held[0].arg);
    expect_data(&late, 1, 0);
    ack(&late, 1);
    turn(&w);
    turn(&w);
    assert_int_equal(w.n_idle, 1);
    close(p.fd);
    close(late.fd);
    close_world(&w);
}

static void test_close_with_everything_in_flight(void **state)
{
    (void)state;
    struct world w;
    struct peer p, waiting;
    setup_world(&w);
    make_file(&w, "file", 1000);
    open_peer(&p, &w, "127.0.0.1");
    open_peer(&waiting, &w, "127.0.0.1");
    request(&p, "file|octet|");
    expect_data(&p, 1, 512);
    request(&waiting, "hold|octet|");
    turn(&w);
    tftp_server_close(w.servers[0]);
    w.servers[0] = NULL;
    w.policy.held[0].done(body_of(BODY), w.policy.held[0].arg);
    nothing_comes(&waiting, 20);
    assert_int_equal(w.n_idle, 0);
    close(p.fd);
    close(waiting.fd);
    close_world(&w);

    setup_world(&w);
    open_peer(&waiting, &w, "127.0.0.1");
    w.policy.cancels = true;
    request(&waiting, "hold|octet|");
    turn(&w);
    tftp_server_close(w.servers[0]);
    w.servers[0] = NULL;
    assert_int_equal(w.policy.n_held, 0);
    close(waiting.fd);
    close_world(&w);
}

/* Each client's requests reach the socket of its address, all addresses all sockets. */
static void test_clients_are_spread_by_address(void **state)
{
    (void)state;
    for (unsigned n = 2; n <= MAX_SERVERS; n++) {
        struct world w;
        open_world(&w, n, 100, 10);
        for (unsigned client = 1; client <= 30; client++) {
            uint64_t before[MAX_SERVERS];
            for (unsigned i = 0; i < n; i++)
                before[i] = w.board->slots[i].counters[METRICS_TFTP_REQUESTS];
            for (int i = 0; i < 5; i++) { /* from five ports */
                struct peer p;
                char address[32];
                snprintf(address, sizeof address, "127.0.0.%u", client);
                open_peer(&p, &w, address);
                request(&p, "none|octet|");
                expect_error(&p, TFTP_NOT_FOUND, "file not found");
                close(p.fd);
            }
            uint32_t source = 0x7f000000 + client;
            for (unsigned i = 0; i < n; i++)
                assert_int_equal(w.board->slots[i].counters[METRICS_TFTP_REQUESTS] - before[i],
                                 i == source % n ? 5 : 0);
        }
        close_world(&w);
    }
}

static void test_a_port_is_not_shared_with_strangers(void **state)
{
    (void)state;
    struct world w;
    setup_world(&w);
    assert_int_equal(tftp_server_bind(w.port, 1), -EADDRINUSE);
    assert_int_equal(tftp_server_bind(w.port, 2), -EADDRINUSE);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes_around_a_block),
        cmocka_unit_test(test_every_window_and_block_size),
        cmocka_unit_test(test_block_number_wraps),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_netascii),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_what_is_sent_instead_of_a_missing_file),
        cmocka_unit_test(test_what_the_policy_sees),
        cmocka_unit_test(test_answers_come_from_the_address_asked),
        cmocka_unit_test(test_probe),
        cmocka_unit_test(test_repeated_request),
        cmocka_unit_test(test_repeated_request_while_the_policy_decides),
        cmocka_unit_test(test_retransmission),
        cmocka_unit_test(test_window_resumes_after_a_gap),
        cmocka_unit_test(test_other_senders_are_not_heard),
        cmocka_unit_test(test_a_client_that_leaves),
        cmocka_unit_test(test_a_file_that_shrinks),
        cmocka_unit_test(test_caps),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_close_with_everything_in_flight),
        cmocka_unit_test(test_clients_are_spread_by_address),
        cmocka_unit_test(test_a_port_is_not_shared_with_strangers),
    };
    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

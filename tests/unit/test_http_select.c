/* Dates, conditional requests and ranges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "http_date.h"
#include "http_select.h"

#define NOW      1790000000 /* 2026-09-21 */
#define MODIFIED 784111777  /* Sun, 06 Nov 1994 08:49:37 GMT */

static void test_dates_are_written(void **state)
{
    char text[HTTP_DATE_TEXT];
    (void)state;
    assert_true(http_date_format(MODIFIED, text));
    assert_string_equal(text, "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_true(http_date_format(0, text));
    assert_string_equal(text, "Thu, 01 Jan 1970 00:00:00 GMT");
    assert_true(http_date_format(253402300799, text));
    assert_string_equal(text, "Fri, 31 Dec 9999 23:59:59 GMT");
    assert_false(http_date_format(253402300800, text));
    assert_true(http_date_format(-1, text));
    assert_string_equal(text, "Wed, 31 Dec 1969 23:59:59 GMT");
}

static void test_dates_are_read(void **state)
{
    static const struct {
        const char *text;
        time_t when;
    } good[] = {
        {"Sun, 06 Nov 1994 08:49:37 GMT", MODIFIED},
        {"Sunday, 06-Nov-94 08:49:37 GMT", MODIFIED},
        {"Sun Nov  6 08:49:37 1994", MODIFIED},
        {"Wed, 16 Nov 1994 00:00:00 GMT", 784944000},
        {"Wed Nov 16 00:00:00 1994", 784944000},
        {"Thu, 29 Feb 2024 12:00:00 GMT", 1709208000},
        {"Sat, 01 Jan 2000 00:00:00 GMT", 946684800},
        {"Wednesday, 01-Jan-70 00:00:00 GMT", 3155760000}, /* 2070: 44 years ahead of 2026 */
        {"Thursday, 01-Jan-77 00:00:00 GMT", 220924800},   /* 1977: 2077 is 51 ahead */
        {"Fri, 31 Dec 1999 23:59:60 GMT", 946684800},
    };
    static const char *const bad[] = {"",
                                      "Sun, 06 Nov 1994 08:49:37",
                                      "Sun, 06 Nov 1994 08:49:37 GMT ",
                                      "Sun, 06 Nov 1994 08:49:37 UTC",
                                      "Sun, 6 Nov 1994 08:49:37 GMT",
                                      "sun, 06 nov 1994 08:49:37 gmt",
                                      "Sun, 31 Feb 2024 08:49:37 GMT",
                                      "Sun, 00 Nov 1994 08:49:37 GMT",
                                      "Sun, 06 Nov 1994 24:49:37 GMT",
                                      "Sun, 06 Nov 1994 08:60:37 GMT",
                                      "Sun, 06 Nov 94 08:49:37 GMT",
                                      "784111777",
                                      "Sun Nov 6 08:49:37 1994"};
    time_t when;
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(http_date_parse(good[i].text, NOW, &when));
        assert_int_equal(when, good[i].when);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (http_date_parse(bad[i], NOW, &when))
            fail_msg("read: %s", bad[i]);
    }
}

static struct http_selection choose(const char *method, const char *fields,
                                    const struct http_version *version)
{
    static char text[1024];
    struct http_head head;
    int n = snprintf(text, sizeof text, "%s / HTTP/1.0\r\n%s\r\n", method, fields);
    assert_int_equal(http_parse(text, (size_t)n, &head), 0);
    return http_select(&head, version, NOW);
}

static void test_conditions(void **state)
{
#define AT     "Sun, 06 Nov 1994 08:49:37 GMT\r\n"
#define BEFORE "Sun, 06 Nov 1994 08:49:36 GMT\r\n"
#define AFTER  "Sun, 06 Nov 1994 08:49:38 GMT\r\n"
    static const struct http_version version = {
        .etag = "\"e\"", .has_modified = true, .modified = MODIFIED, .size = 1000};
    static const struct {
        int status;
        const char *fields;
    } cases[] = {
        {200, ""},
        /* tags */
        {304, "If-None-Match: \"e\"\r\n"},
        {304, "If-None-Match: W/\"e\"\r\n"},
        {304, "If-None-Match: \"x\", \"e\"\r\n"},
        {304, "If-None-Match: \"x,y\" ,, W/\"e\"\r\n"},
        {304, "If-None-Match: \"x\"\r\nIf-None-Match: \"e\"\r\n"},
        {304, "If-None-Match: *\r\n"},
        {200, "If-None-Match: \"x\"\r\n"},
        {200, "If-None-Match: e\r\n"},
        {200, "If-None-Match: \"e\r\n"},
        {200, "If-None-Match: \"x, \"e\"\r\n"},
        {200, "If-None-Match: \"\"\r\n"},
        {200, "If-Match: \"e\"\r\n"},
        {200, "If-Match: \"x\", \"e\"\r\n"},
        {200, "If-Match: \"x\"\r\nIf-Match: \"e\"\r\n"},
        {200, "If-Match: *\r\n"},
        {412, "If-Match: \"x\"\r\n"},
        {412, "If-Match: W/\"e\"\r\n"},
        {412, "If-Match:\r\n"},
        {412, "If-Match: e\r\n"},
        /* dates */
        {304, "If-Modified-Since: " AT},
        {304, "If-Modified-Since: " AFTER},
        {200, "If-Modified-Since: " BEFORE},
        {200, "If-Modified-Since: yesterday\r\n"},
        {200, "If-Modified-Since: " AT "If-Modified-Since: " AT},
        {200, "If-Unmodified-Since: " AT},
        {200, "If-Unmodified-Since: " AFTER},
        {412, "If-Unmodified-Since: " BEFORE},
        {200, "If-Unmodified-Since: never\r\n"},
        /* section 13.2.2: who comes first */
        {200, "If-Match: \"e\"\r\nIf-Unmodified-Since: " BEFORE},
        {412, "If-Match: \"x\"\r\nIf-Unmodified-Since: " AT},
        {200, "If-None-Match: \"x\"\r\nIf-Modified-Since: " AT},
        {304, "If-None-Match: \"e\"\r\nIf-Modified-Since: " BEFORE},
        {412, "If-Match: \"x\"\r\nIf-None-Match: \"e\"\r\n"},
        {304, "If-Match: \"e\"\r\nIf-None-Match: \"e\"\r\n"},
        {412, "If-Unmodified-Since: " BEFORE "If-None-Match: \"e\"\r\n"},
        {412, "If-Match: \"x\"\r\nRange: bytes=0-1\r\n"},
        {304, "If-None-Match: \"e\"\r\nRange: bytes=0-1\r\n"},
        {206, "If-Match: \"e\"\r\nRange: bytes=0-1\r\n"},
        {304, "If-None-Match: \"e\"\r\nRange: bytes=1000-\r\n"},
        /* If-Range */
        {206, "If-Range: \"e\"\r\nRange: bytes=0-1\r\n"},
        {200, "If-Range: \"x\"\r\nRange: bytes=0-1\r\n"},
        {200, "If-Range: W/\"e\"\r\nRange: bytes=0-1\r\n"},
        {206, "If-Range: " AT "Range: bytes=0-1\r\n"},
        {200, "If-Range: " AFTER "Range: bytes=0-1\r\n"},
        {200, "If-Range: junk\r\nRange: bytes=0-1\r\n"},
        {200, "If-Range: \"x\"\r\nRange: bytes=1000-\r\n"},
        {200, "If-Range: \"x\"\r\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int status = choose("GET", cases[i].fields, &version).status;
        if (status != cases[i].status)
            fail_msg("%d, not %d: %s", status, cases[i].status, cases[i].fields);
        int expected = cases[i].status == 206 ? 200 : cases[i].status;
        assert_int_equal(choose("HEAD", cases[i].fields, &version).status, expected);
    }
}

/* A file without a usable time: its dates' conditions are ignored. */
static void test_no_modification_date(void **state)
{
    static const struct http_version version = {.etag = "\"e\"", .size = 1000};
    (void)state;
    assert_int_equal(choose("GET", "If-Modified-Since: " AFTER, &version).status, 200);
    assert_int_equal(choose("GET", "If-Unmodified-Since: " BEFORE, &version).status, 200);
    assert_int_equal(choose("GET", "If-Range: " AT "Range: bytes=0-1\r\n", &version).status, 200);
    assert_int_equal(choose("GET", "If-None-Match: \"e\"\r\n", &version).status, 304);
}

static void test_ranges(void **state)
{
    static const struct {
        uint64_t size;
        const char *range;
        int status;
        uint64_t first, length;
    } cases[] = {
        {1000, "bytes=0-0", 206, 0, 1},
        {1000, "bytes=0-", 206, 0, 1000},
        {1000, "bytes=999-", 206, 999, 1},
        {1000, "bytes=0-999", 206, 0, 1000},
        {1000, "bytes=0-1000", 206, 0, 1000},
        {1000, "bytes=500-99999999999999999999999", 206, 500, 500},
        {1000, "bytes=0-18446744073709551615", 206, 0, 1000},
        {1000, "bytes=-1", 206, 999, 1},
        {1000, "bytes=-1000", 206, 0, 1000},
        {1000, "bytes=-1001", 206, 0, 1000},
        {1000, "bytes=-99999999999999999999999", 206, 0, 1000},
        {1000, "Bytes=1-2", 206, 1, 2},
        {1000, "bytes= 1-2 ", 206, 1, 2},
        {1000, "bytes=1000-", 416, 0, 0},
        {1000, "bytes=1000-1001", 416, 0, 0},
        {1000, "bytes=99999999999999999999999-", 416, 0, 0},
        {1000, "bytes=-0", 416, 0, 0},
        {0, "bytes=0-", 416, 0, 0},
        {0, "bytes=0-0", 416, 0, 0},
        {0, "bytes=-1", 200, 0, 0},
        {UINT64_C(5) << 30, "bytes=-1", 206, (UINT64_C(5) << 30) - 1, 1},
        {UINT64_C(5) << 30, "bytes=4294967296-4294967299", 206, UINT64_C(1) << 32, 4},
        /* several: the whole; and what is no range */
        {1000, "bytes=0-0,2-3", 200, 0, 1000},
        {1000, "bytes=0-0,", 200, 0, 1000},
        {1000, "bytes=2-1", 200, 0, 1000},
        {1000, "bytes=", 200, 0, 1000},
        {1000, "bytes=-", 200, 0, 1000},
        {1000, "bytes=a-b", 200, 0, 1000},
        {1000, "bytes=1", 200, 0, 1000},
        {1000, "bytes=1-2-3", 200, 0, 1000},
        {1000, "bytes=--1", 200, 0, 1000},
        {1000, "bytes=+1-2", 200, 0, 1000},
        {1000, "bytes 1-2", 200, 0, 1000},
        {1000, "lines=1-2", 200, 0, 1000},
    };
    char field[128];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct http_version version = {.etag = "\"e\"", .size = cases[i].size};
        snprintf(field, sizeof field, "Range: %s\r\n", cases[i].range);
        struct http_selection got = choose("GET", field, &version);
        if (got.status != cases[i].status)
            fail_msg("%d, not %d: %s", got.status, cases[i].status, field);
        if (got.status == 416)
            continue;
        assert_int_equal(got.first, cases[i].first);
        assert_int_equal(got.length, cases[i].length);
    }
    struct http_version version = {.etag = "\"e\"", .size = 1000};
    assert_int_equal(choose("HEAD", "Range: bytes=0-1\r\n", &version).status, 200);
    assert_int_equal(choose("GET", "Range: bytes=0-1\r\nRange: bytes=5-6\r\n", &version).status,
                     200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dates_are_written),
        cmocka_unit_test(test_dates_are_read),
        cmocka_unit_test(test_conditions),
        cmocka_unit_test(test_no_modification_date),
        cmocka_unit_test(test_ranges),
    };
    return cmocka_run_group_tests_name("http_select", tests, NULL, NULL);
}

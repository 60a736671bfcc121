/* YAML and JSON as events: what is read, what is refused and where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data.h"

/* A document as text: "{ 'a': 1 [ true null ] }", or "line:column: problem". */
static const char *read_all(struct data *data)
{
    static char out[2048];
    size_t len = 0;
    struct data_event event;
    *out = '\0';
    do {
        bool boolean;
        double number;
        const char *more = "";
        char scalar[256];
        if (!data_next(data, &event)) {
            unsigned line, column;
            const char *problem = data_problem(data, &line, &column);
            snprintf(out, sizeof out, "%u:%u: %s", line, column, problem);
            break;
        }
        if (event.kind == DATA_LIST)
            more = "[ ";
        else if (event.kind == DATA_MAPPING)
            more = "{ ";
        else if (event.kind == DATA_END)
            more = "} ";
        if (event.kind == DATA_SCALAR) {
            switch (data_type(&event, &boolean, &number)) {
            case DATA_TEXT:
                snprintf(scalar, sizeof scalar, "'%.*s'", (int)event.len, event.text);
                break;
            case DATA_NULL:
                snprintf(scalar, sizeof scalar, "null");
                break;
            case DATA_BOOLEAN:
                snprintf(scalar, sizeof scalar, boolean ? "true" : "false");
                break;
            case DATA_NUMBER:
                snprintf(scalar, sizeof scalar, "%.17g", number);
                break;
            }
            len += (size_t)snprintf(out + len, sizeof out - len, "%s%s ", scalar,
                                    event.key ? ":" : "");
        }
        len += (size_t)snprintf(out + len, sizeof out - len, "%s", more);
        if (len >= sizeof out / 2) /* enough to tell by */
            len = 0;
    } while (event.kind != DATA_DONE);
    data_free(data);
    return out;
}

/* The text ends where its memory ends. */
static const char *yaml(const char *text)
{
    size_t len = strlen(text);
    char *copy = memcpy(malloc(len + !len), text, len);
    const char *out = read_all(data_yaml(copy, len));
    free(copy);
    return out;
}

static const char *json(const char *text)
{
    size_t len = strlen(text);
    char *copy = memcpy(malloc(len + !len), text, len);
    const char *out = read_all(data_json(copy, len));
    free(copy);
    return out;
}

static void test_yaml(void **state)
{
    (void)state;
    assert_string_equal(yaml(""), "");
    assert_string_equal(yaml("a: 1\nb: [x, {c: d}]\n"), "{ 'a': 1 'b': [ 'x' { 'c': 'd' } } } ");
    assert_string_equal(yaml("[~, null, '', , ]"), "1:15: did not find expected node content");
    assert_string_equal(yaml("[~, null, '', yes, no, on, True, false]"),
                        "[ null null '' 'yes' 'no' 'on' true false } ");
    assert_string_equal(yaml("[0, -1, +2, 007, 0x1F, 0o17, 1.5, .5, 1., 1e3, 12:30, 1_000]"),
                        "[ 0 -1 2 '007' 31 15 1.5 0.5 1 1000 '12:30' '1_000' } ");
    assert_string_equal(yaml("[9007199254740991, 9007199254740993, 1e999, .inf, -.INF, .nan]"),
                        "[ 9007199254740991 '9007199254740993' '1e999' inf -inf nan } ");
    assert_string_equal(yaml("['12', \"true\", !!str 12]"), "[ '12' 'true' '12' } ");
    assert_string_equal(yaml("? a\n: b"), "{ 'a': 'b' } ");
    assert_string_equal(yaml("? [a]\n: b"), "1:3: a key that is no text");
    assert_string_equal(yaml("--- a\n--- b\n"), "2:1: a second document, expected one alone");
    assert_string_equal(yaml("a: \xff"), "1:4: invalid leading UTF-8 octet");
}

static void test_aliases(void **state)
{
    (void)state;
    assert_string_equal(yaml("[&a x, *a, *a]"), "[ 'x' 'x' 'x' } ");
    assert_string_equal(yaml("[&a [1, &b {c: 2}], *b, *a]"),
                        "[ [ 1 { 'c': 2 } } { 'c': 2 } [ 1 { 'c': 2 } } } ");
    assert_string_equal(yaml("[&a x, {*a : *a}]"), "[ 'x' { 'x': 'x' } } ");
    assert_string_equal(yaml("[&a x, &b [*a, *a], &c [*b, *b], *c]"),
                        "[ 'x' [ 'x' 'x' } [ [ 'x' 'x' } [ 'x' 'x' } } "
                        "[ [ 'x' 'x' } [ 'x' 'x' } } } ");
    assert_string_equal(yaml("[&a x, &a y, *a]"), "[ 'x' 'y' 'y' } ");
    assert_string_equal(yaml("&a [*a]"), "1:5: an alias inside of what it stands for");
    assert_string_equal(yaml("[*a]"), "1:2: an alias of an anchor that there is not");
    assert_string_equal(yaml("[&a [1], {*a : 1}]"), "1:2: a key that is no text");
}

static void test_bounds(void **state)
{
    (void)state;
    char text[8192] = "a: &a [x,x,x,x,x,x,x,x,x,x]\n";
    for (char c = 'b'; c < 'k'; c++) {
        char line[128];
        snprintf(line, sizeof line, "%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n", c, c, c - 1,
                 c - 1, c - 1, c - 1, c - 1, c - 1, c - 1, c - 1, c - 1);
        strcat(text, line);
    }
    assert_string_equal(yaml(text), "4:32: aliases make this document too large");
    memset(text, '[', 100);
    text[100] = '\0';
    assert_string_equal(yaml(text), "1:65: it is nested too deeply");
    assert_string_equal(json(text), "1:65: it is nested too deeply");
    snprintf(text, sizeof text, "{\"%0*d\": 1}", DATA_KEY + 1, 0);
    assert_string_equal(json(text), "1:2: a key that is too long");
    *text = '\0';
    for (int i = 0; i <= DATA_ANCHORS; i++)
        strcat(text, "- &a\n");
    assert_string_equal(yaml(text), "1001:3: more anchors than are allowed");
}

static void test_json(void **state)
{
    (void)state;
    assert_string_equal(json(" { \"a\" : [ 1 , true, null , false ], \"\": {} }\n"),
                        "{ 'a': [ 1 true null false } '': { } } ");
    assert_string_equal(json("[]"), "[ } ");
    assert_string_equal(json("\"x\""), "'x' ");
    assert_string_equal(json("[\"true\", \"12\"]"), "[ 'true' '12' } ");
    assert_string_equal(json("[0, -0.5, 1e3, 1E-2, 12345678901234567890]"),
                        "[ 0 -0.5 1000 0.01 '12345678901234567890' } ");
    assert_string_equal(json("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20ac\\ud83d\\ude00\""),
                        "'\"\\/\b\f\n\r\tA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80' ");
    assert_string_equal(json("\"\xc3\xa9\""), "'\xc3\xa9' ");
    assert_string_equal(json("\xef\xbb\xbf[1]"), "[ 1 } ");
}

static void test_bad_json(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"", "1:1: it ends too early"},
        {"[", "1:2: it ends too early"},
        {"{", "1:2: expected a key in quotes"},
        {"[1,]", "1:4: not what JSON has here"},
        {"[1 2]", "1:4: expected \",\" or \"]\""},
        {"{\"a\" 1}", "1:6: expected \":\" behind a key"},
        {"{\"a\": 1,}", "1:9: expected a key in quotes"},
        {"{\"a\": 1 \"b\"", "1:9: expected \",\" or \"}\""},
        {"{a: 1}", "1:2: expected a key in quotes"},
        {"[1}", "1:3: expected \",\" or \"]\""},
        {"]", "1:1: not what JSON has here"},
        {"[1] 2", "1:5: there is more behind the document"},
        {"[\n\n 'a']", "3:2: not what JSON has here"},
        {"[01]", "1:2: a word or a number that JSON has not"},
        {"[1.]", "1:2: a word or a number that JSON has not"},
        {"[.5]", "1:2: a word or a number that JSON has not"},
        {"[+1]", "1:2: a word or a number that JSON has not"},
        {"[0x10]", "1:2: a word or a number that JSON has not"},
        {"[True]", "1:2: not what JSON has here"},
        {"[nul]", "1:2: a word or a number that JSON has not"},
        {"[-]", "1:2: a word or a number that JSON has not"},
        {"[nan]", "1:2: a word or a number that JSON has not"},
        {"\"a", "1:3: a string is not closed"},
        {"\"a\n\"", "1:3: a control character in a string"},
        {"\"\\x\"", "1:3: an escape that JSON has not"},
        {"\"\\", "1:3: an escape that JSON has not"},
        {"\"\\u12\"", "1:6: \\u wants four hexadecimal digits"},
        {"\"\\ud83d\"", "1:8: half of a surrogate pair"},
        {"\"\\ud83d\\u0041\"", "1:14: half of a surrogate pair"},
        {"\"\\ude00\"", "1:8: half of a surrogate pair"},
        {"\"\xff\"", "1:2: bytes that are not UTF-8"},
        {"\"\xc0\x80\"", "1:2: bytes that are not UTF-8"},
        {"\"\xed\xa0\x80\"", "1:2: bytes that are not UTF-8"},
        {"\"\xf4\x90\x80\x80\"", "1:2: bytes that are not UTF-8"},
        {"\"\xe2\x82", "1:2: bytes that are not UTF-8"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_string_equal(json(bad[i][0]), bad[i][1]);
}

/* Each prefix and each changed byte of a document is read or refused, and nothing else. */
static void test_mangled(void **state)
{
    (void)state;
    static const char good[] =
        "{ \"a\": [1, \"\\ud83d\\ude00\xc3\xa9\", {\"b\": null}], \"c\": -1.5e3 }";
    static const char anchored[] = "a: &x [1, {b: c}]\nd: {<<: *x, e: \"f\\n\"}\ng: |\n  h\n  i\n";
    char text[128] = {0}; /* a mangled text may have lost its end */
    for (size_t i = 0; i < sizeof good; i++) {
        memcpy(text, good, i);
        text[i] = '\0';
        json(text);
        for (int c = 1; c < 256; c++) {
            strcpy(text, good);
            text[i] = (char)c;
            json(text);
        }
    }
    for (size_t i = 0; i < sizeof anchored; i++) {
        for (const char *c = "\t\n []{}&*:-\"'!|\xff"; *c; c++) {
            strcpy(text, anchored);
            text[i] = *c;
            yaml(text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_yaml),     cmocka_unit_test(test_aliases),
        cmocka_unit_test(test_bounds),   cmocka_unit_test(test_json),
        cmocka_unit_test(test_bad_json), cmocka_unit_test(test_mangled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

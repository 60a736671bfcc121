#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/time.h>

#include <cmocka.h>

#include "pattern.h"

static volatile sig_atomic_t stop;

static struct pattern make(const char *pattern, const char *text)
{
    return (struct pattern){.text = text,
                            .text_end = text + strlen(text),
                            .pattern = pattern,
                            .pattern_end = pattern + strlen(pattern),
                            .stop = &stop};
}

static void assert_found(const char *pattern, const char *text, const char *wanted)
{
    struct pattern p = make(pattern, text);
    assert_int_equal(pattern_search(&p, text), wanted ? PATTERN_FOUND : PATTERN_NONE);
    if (!wanted)
        return;
    assert_int_equal(p.end - p.start, strlen(wanted));
    assert_memory_equal(p.start, wanted, strlen(wanted));
}

/* What tests/fuzz/fuzz_pattern.c holds against LuaJIT; here by hand, as the manual has it. */
static void test_the_manual(void **state)
{
    (void)state;
    assert_found("%a+", "  word 12", "word");
    assert_found("%A+$", "word 12", " 12");
    assert_found("[%w_]-=", "x_1=2", "x_1=");
    assert_found("[^%s]+", "  a-b c", "a-b");
    assert_found("[]]+", "a]]", "]]");
    assert_found("[a-c%-]+", "x-b-", "-b-");
    assert_found("%b()", "f(a(b)c)d)", "(a(b)c)");
    assert_found("%b()", "f(a(b)c", "(b)");
    assert_found("%f[%u]%u+%f[^%u]", "aTHE Bx", "THE");
    assert_found("(a*)b%1", "aabaa", "aabaa");
    assert_found("a?b?c", "c", "c");
    assert_found("a.-c", "abcabc", "abc");
    assert_found("a.*c", "abcabc", "abcabc");
    assert_found("a$b", "a$b", "a$b");
    assert_found("%%", "50%", "%");
    assert_found("", "", "");
    assert_found("x", "abc", NULL);
}

static void test_captures(void **state)
{
    struct pattern p = make("()(%a+)=(%d*)()", "key=12");
    (void)state;
    assert_int_equal(pattern_search(&p, p.text), PATTERN_FOUND);
    assert_int_equal(p.n_captures, 4);
    assert_int_equal(p.captures[0].kind, PATTERN_POSITION);
    assert_memory_equal(p.captures[1].start, "key", 3);
    assert_int_equal(p.captures[2].len, 2);
    assert_ptr_equal(p.captures[3].start, p.text + 6);
}

static void test_bytes(void **state)
{
    static const char text[] = "a\0b\xff", wanted[] = "%z.[\x80-\xff]";
    struct pattern p = make(wanted, text);
    (void)state;
    p.text_end = text + 4;
    assert_int_equal(pattern_search(&p, text), PATTERN_FOUND);
    assert_ptr_equal(p.start, text + 1);
    assert_true(pattern_is_special("a.b", 3));
    assert_false(pattern_is_special("a\0b]", 4));
}

static void assert_bad(const char *pattern, const char *problem)
{
    struct pattern p = make(pattern, "aaa");
    assert_int_equal(pattern_search(&p, p.text), PATTERN_BAD);
    assert_string_equal(p.problem, problem);
}

static void test_bad_patterns(void **state)
{
    char deep[1024];
    (void)state;
    assert_bad("a%", "malformed pattern (ends with '%')");
    assert_bad("[a", "malformed pattern (missing ']')");
    assert_bad("[a%", "malformed pattern (missing ']')");
    assert_bad("a)", "invalid pattern capture");
    assert_bad("%1", "invalid capture index");
    assert_bad("(a%1)", "invalid capture index");
    assert_bad("%f", "missing '[' after '%f' in pattern");
    assert_bad("%bx", "unbalanced pattern (two characters are missing behind %b)");
    memset(deep, '(', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    assert_bad(deep, "too many captures");
    for (size_t i = 0; i + 2 < sizeof deep; i += 2)
        memcpy(deep + i, "a*", 3);
    assert_bad(deep, "pattern too complex");
}

static void on_alarm(int signal_number)
{
    (void)signal_number;
    stop = 1;
}

static void assert_stopped(const char *pattern)
{
    static char text[3000];
    struct itimerval soon = {.it_value.tv_usec = 20000};
    memset(text, 'a', sizeof text - 1);
    struct pattern p = make(pattern, text);
    stop = 0;
    signal(SIGALRM, on_alarm);
    setitimer(ITIMER_REAL, &soon, NULL);
    assert_int_equal(pattern_search(&p, text), PATTERN_STOPPED);
    stop = 0;
    assert_found("b*$", "abb", "bb"); /* and the next is matched */
}

static void test_patterns_without_end_are_stopped(void **state)
{
    (void)state;
    assert_stopped("a*a*a*a*a*a*b");
    assert_stopped("a-a-a-a-a-a-b");
    assert_stopped("(a*)(a*)(a*)(a*)%4%3%2%1b");
    assert_stopped(".-.-.-.-.-.-b$");
    assert_stopped("a?a*[^x]-a+.*a+.*b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_manual),
        cmocka_unit_test(test_captures),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_bad_patterns),
        cmocka_unit_test(test_patterns_without_end_are_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

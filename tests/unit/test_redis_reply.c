/* What Redis may answer: whatever it is, it has a meaning or is said to have none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "redis_reply.h"

static redisReply *made; /* what the answer of `meaning` views */
static struct store_entry *entries;
static struct store_answer answer;

/* What the reply with these bytes means to that question. */
static int64_t meaning(enum store_verb verb, const char *bytes)
{
    const struct store_request request = {.verb = verb, .key = {(const uint8_t *)"k", 1}};
    redisReader *reader = redisReaderCreate();
    void *reply = NULL;
    freeReplyObject(made);
    free(entries);
    assert_int_equal(redisReaderFeed(reader, bytes, strlen(bytes)), REDIS_OK);
    assert_int_equal(redisReaderGetReply(reader, &reply), REDIS_OK);
    assert_non_null(reply);
    redisReaderFree(reader);
    made = reply;
    bool good = redis_reply_read(&request, made, &answer, &entries);
    assert_true(good || (answer.result == -EPROTO && answer.n == 0 && !answer.entries));
    return answer.result;
}

static void test_got(void **state)
{
    (void)state;
    assert_int_equal(meaning(STORE_GET, "*2\r\n$3\r\nabc\r\n$2\r\n17\r\n"), 0);
    assert_int_equal(answer.n, 1);
    assert_int_equal(answer.entries->version, 17);
    assert_int_equal(answer.entries->text.len, 3);
    assert_memory_equal(answer.entries->text.data, "abc", 3);
    assert_int_equal(meaning(STORE_GET, "*2\r\n$0\r\n\r\n$1\r\n1\r\n"), 0);
    assert_int_equal(answer.entries->text.len, 0);
    assert_int_equal(meaning(STORE_GET, "*0\r\n"), -ENOENT);
}

static void test_listed(void **state)
{
    (void)state;
    assert_int_equal(meaning(STORE_LIST, "*1\r\n$0\r\n\r\n"), 0);
    assert_int_equal(answer.n, 0);
    assert_int_equal(answer.last.len, 0);
    assert_int_equal(meaning(STORE_LIST, "*5\r\n$1\r\nb\r\n$1\r\nb\r\n$1\r\nt\r\n$1\r\n3\r\n$13\r\n"
                                         "1700000000000\r\n"),
                     0);
    assert_int_equal(answer.n, 1);
    assert_int_equal(answer.entries->version, 3);
    assert_int_equal(answer.entries->ends, 1700000000000);
    assert_int_equal(answer.last.len, 1);
}

static void test_written(void **state)
{
    (void)state;
    assert_int_equal(meaning(STORE_WRITE, "$2\r\n42\r\n"), 42);
    assert_int_equal(meaning(STORE_WRITE, "$1\r\n0\r\n"), 0);
    assert_int_equal(meaning(STORE_WRITE, "$7\r\nanother\r\n"), -EAGAIN);
}

static void test_opened(void **state)
{
    const char *id;
    int64_t version;
    (void)state;
    meaning(STORE_WRITE, "*2\r\n$2\r\nid\r\n$1\r\n7\r\n");
    assert_true(redis_reply_opened(made, &id, &version));
    assert_string_equal(id, "id");
    assert_int_equal(version, 7);
    static const char *const wrong[] = {
        "*2\r\n$2\r\nid\r\n:7\r\n",       "*1\r\n$1\r\na\r\n", "$1\r\na\r\n",
        "*2\r\n$2\r\nid\r\n$2\r\n-7\r\n", "$-1\r\n",           ":1\r\n",
        "*2\r\n$-1\r\n$1\r\n7\r\n"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        meaning(STORE_WRITE, wrong[i]);
        assert_false(redis_reply_opened(made, &id, &version));
    }
}

static void test_nonsense(void **state)
{
    static const char *const nonsense[] = {
        ":1\r\n",
        "+OK\r\n",
        "$-1\r\n",
        "*-1\r\n",
        "*1\r\n*1\r\n*1\r\n:2\r\n",
        "*1\r\n:1\r\n",
        "*2\r\n$1\r\na\r\n:1\r\n",
        "*2\r\n$1\r\na\r\n$-1\r\n",
        "*2\r\n$1\r\na\r\n$2\r\n1x\r\n",
        "*2\r\n$1\r\na\r\n$0\r\n\r\n",
        "*2\r\n$1\r\na\r\n$17\r\n99999999999999999\r\n",
        "*2\r\n$1\r\na\r\n$16\r\n9999999999999999\r\n",
        "*3\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\n1\r\n",
        "*5\r\n$1\r\nb\r\n$1\r\nb\r\n$1\r\nt\r\n$1\r\n3\r\n$2\r\n-1\r\n",
        "$3\r\nabc\r\n",
        "$0\r\n\r\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
        assert_int_equal(meaning(STORE_GET, nonsense[i]), -EPROTO);
        assert_int_equal(meaning(STORE_LIST, nonsense[i]), -EPROTO);
        assert_int_equal(meaning(STORE_WRITE, nonsense[i]), -EPROTO);
    }
    /* What makes sense elsewhere. */
    assert_int_equal(meaning(STORE_LIST, "*0\r\n"), -EPROTO);
    assert_int_equal(meaning(STORE_WRITE, "*0\r\n"), -EPROTO);
    assert_int_equal(meaning(STORE_GET, "$2\r\n42\r\n"), -EPROTO);
}

static void test_errors(void **state)
{
    static const struct {
        const char *text;
        int64_t error;
    } errors[] = {
        {"OOM command not allowed when used memory > 'maxmemory'. script: 1, on @user_script:1.",
         -EOVERFLOW},
        {"ERR Error running script (call to f_1): @user_script:1: -OOM command not allowed when "
         "used memory > 'maxmemory'.",
         -EOVERFLOW},
        {"READONLY You can't write against a read only replica.", -EROFS},
        {"LOADING Redis is loading the dataset in memory", -EBUSY},
        {"BUSY Redis is busy running a script.", -EBUSY},
        {"NOAUTH Authentication required.", -EKEYREJECTED},
        {"WRONGPASS invalid username-password pair or user is disabled.", -EKEYREJECTED},
        {"ERR invalid password", -EKEYREJECTED},
        {"ERR Client sent AUTH, but no password is set", -EKEYREJECTED},
        {"NOPERM this user has no permissions to run the 'eval' command", -EKEYREJECTED},
        {"WRONGTYPE Operation against a key holding the wrong kind of value", -EILSEQ},
        {"MISCONF Redis is configured to save RDB snapshots", -EIO},
        {"NOSTORE this is not the store that was opened", -ENODATA},
        {"ERR unknown command", -EREMOTEIO},
        {"", -EREMOTEIO},
    };
    (void)state;
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        assert_int_equal(redis_reply_error(errors[i].text), errors[i].error);
    assert_int_equal(meaning(STORE_GET, "-OOM command not allowed\r\n"), -EOVERFLOW);
}

static void test_auth(void **state)
{
    static const struct {
        const char *text, *begins;
    } errors[] = {
        {"WRONGPASS invalid username-password pair or user is disabled: sesame", "WRONGPASS: "},
        {"ERR unknown command 'AUTH', with args beginning with: 'sesame' ", "it has no AUTH"},
        {"ERR wrong number of arguments for 'auth' command", "it knows no users"},
        {"ERR AUTH <password> called without any password configured for the default user",
         "it has no password"},
        {"ERR sesame", "it refuses the login"},
        {"", "it refuses the login"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        const char *says = redis_reply_auth(errors[i].text);
        assert_memory_equal(says, errors[i].begins, strlen(errors[i].begins));
        assert_null(strstr(says, "sesame"));
    }
}

static int tear_down(void **state)
{
    (void)state;
    freeReplyObject(made);
    free(entries);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_got),      cmocka_unit_test(test_listed),
        cmocka_unit_test(test_written),  cmocka_unit_test(test_opened),
        cmocka_unit_test(test_nonsense), cmocka_unit_test(test_errors),
        cmocka_unit_test(test_auth),
    };
    return cmocka_run_group_tests(tests, NULL, tear_down);
}

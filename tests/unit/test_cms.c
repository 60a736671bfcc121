/* CMS signatures: OpenSSL verifies what is made of a digest alone; digests of files are found
 * once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <openssl/cms.h>
#include <openssl/pem.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cms.h"
#include "cms_files.h"

static char directory[] = "/tmp/moonboot-cms-XXXXXX";
static char cert[64], key[64];

static void run(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void run(const char *format, ...)
{
    char command[1024], whole[1200];
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    snprintf(whole, sizeof whole, "cd %s && umask 077 && { %s; } 2>/dev/null", directory, command);
    assert_int_equal(system(whole), 0);
}

static const char *at(const char *name)
{
    static char path[4][96];
    static unsigned next;
    next = (next + 1) % 4;
    snprintf(path[next], sizeof path[next], "%s/%s", directory, name);
    return path[next];
}

#define USAGE "-addext keyUsage=digitalSignature -addext extendedKeyUsage=codeSigning"

static bool verifies(const uint8_t *der, size_t len, const char *text)
{
    BIO *content = BIO_new_mem_buf(text, -1), *file = BIO_new_file(cert, "r");
    X509 *authority = PEM_read_bio_X509(file, NULL, NULL, NULL);
    X509_STORE *store = X509_STORE_new();
    CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &der, (long)len);
    assert_non_null(cms);
    X509_STORE_add_cert(store, authority);
    X509_VERIFY_PARAM_set_purpose(X509_STORE_get0_param(store), X509_PURPOSE_ANY);
    bool good = CMS_verify(cms, NULL, store, content, NULL, CMS_BINARY) == 1;
    CMS_ContentInfo_free(cms);
    X509_STORE_free(store);
    X509_free(authority);
    BIO_free(content);
    BIO_free(file);
    return good;
}

static void test_signatures(void **state)
{
    char problem[256] = "";
    uint8_t digest[CMS_DIGEST_LEN];
    struct cms *cms = cms_open(cert, key, problem, sizeof problem);
    (void)state;
    if (!cms)
        fail_msg("%s", problem);
    const char *const texts[] = {"a kernel", "another", ""};
    for (size_t i = 0; i < 3; i++) {
        size_t len;
        cms_digest(texts[i], strlen(texts[i]), digest);
        uint8_t *der = cms_sign(cms, digest, &len);
        assert_non_null(der);
        for (size_t j = 0; j < 3; j++)
            assert_int_equal(verifies(der, len, texts[j]), i == j);
        cms_free(der);
    }
    cms_close(cms);
}

/* Signs so many texts, of which so many differ. */
static void sign_many(struct cms *cms, int times, int below)
{
    for (int i = 0; i < times; i++) {
        char text[32];
        uint8_t digest[CMS_DIGEST_LEN];
        size_t len;
        snprintf(text, sizeof text, "text %d", i % below);
        cms_digest(text, strlen(text), digest);
        uint8_t *der = cms_sign(cms, digest, &len);
        if (i % 7 == 0)
            assert_true(verifies(der, len, text));
        assert_non_null(der);
        cms_free(der);
    }
}

/* What was signed lately is remembered, and not taken for another. */
static void test_again(void **state)
{
    char problem[256] = "";
    struct cms *cms = cms_open(cert, key, problem, sizeof problem);
    (void)state;
    assert_non_null(cms);
    sign_many(cms, 100, 40);
    sign_many(cms, 70, 10);
    cms_close(cms);
}

static void expect_problem(const char *certificate, const char *private, const char *wanted)
{
    char problem[256] = "";
    struct cms *cms = cms_open(at(certificate), at(private), problem, sizeof problem);
    assert_null(cms);
    if (!strstr(problem, wanted))
        fail_msg("%s", problem);
}

static void test_certificates(void **state)
{
    (void)state;
    run("openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=tls -keyout tls.key -out tls.pem "
        "-addext keyUsage=digitalSignature -addext extendedKeyUsage=serverAuth");
    run("openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=no -keyout no.key -out no.pem "
        "-addext keyUsage=keyEncipherment -addext extendedKeyUsage=codeSigning");
    run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=ec "
        "-keyout ec.key -out ec.pem " USAGE);
    run("openssl rsa -aes128 -passout pass:x -in sign.key -out locked.key");
    run("cp sign.key open.key && chmod 644 open.key");
    expect_problem("tls.pem", "tls.key", "its extended key usage lacks codeSigning");
    expect_problem("no.pem", "no.key", "its key usage lacks digitalSignature");
    expect_problem("ec.pem", "ec.key", "its key is not RSA");
    expect_problem("sign.pem", "tls.key", "tls.key: it is not the key of the certificate");
    expect_problem("sign.pem", "locked.key", "or one under a passphrase");
    expect_problem("sign.pem", "open.key", "everyone on this host can read");
    expect_problem("sign.pem", "none.key", "No such file");
    expect_problem("sign.key", "sign.key", "has no certificate in PEM");
    expect_problem("none.pem", "sign.key", "none.pem: No such file");
}

/* --- files -------------------------------------------------------------------------------------
 */

struct told {
    int calls, error;
    uint8_t digest[CMS_DIGEST_LEN];
};

static void tell(int error, const uint8_t digest[CMS_DIGEST_LEN], void *arg)
{
    struct told *told = arg;
    told->calls++;
    told->error = error;
    if (!error)
        memcpy(told->digest, digest, sizeof told->digest);
}

static int open_file(const char *name)
{
    int fd = open(at(name), O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void test_files(void **state)
{
    struct event_base *base = event_base_new();
    struct cms_files *files = cms_files_open(base);
    struct told told[4] = {{0}}, again = {0};
    uint8_t digest[CMS_DIGEST_LEN];
    char *text = malloc(3000001);
    (void)state;
    assert_non_null(files);
    assert_non_null(text);
    memset(text, 'x', 3000001);
    run("head -c 3000001 /dev/zero | tr '\\0' x > large");
    for (int i = 0; i < 4; i++)
        cms_files_digest(files, open_file("large"), tell, &told[i]);
    while (told[0].calls + told[1].calls + told[2].calls + told[3].calls < 4)
        event_base_loop(base, EVLOOP_ONCE);
    cms_digest(text, 3000001, digest);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(told[i].error, 0);
        assert_memory_equal(told[i].digest, digest, sizeof digest);
    }
    cms_files_digest(files, open_file("large"), tell, &again); /* it is known: told at once */
    assert_int_equal(again.calls, 1);
    assert_memory_equal(again.digest, digest, sizeof digest);
    run("printf y | dd of=large bs=1 seek=5 conv=notrunc");
    text[5] = 'y';
    cms_digest(text, 3000001, digest);
    cms_files_digest(files, open_file("large"), tell, &again); /* another file by now */
    while (again.calls < 2)
        event_base_loop(base, EVLOOP_ONCE);
    assert_int_equal(again.error, 0);
    assert_memory_equal(again.digest, digest, sizeof digest);
    free(text);
    cms_files_close(files);
    event_base_free(base);
}

/* Who still waits is told, once. */
static void test_end(void **state)
{
    struct event_base *base = event_base_new();
    struct told told[8] = {{0}};
    (void)state;
    run("truncate -s 4G huge && truncate -s 4G huge2");
    struct cms_files *files = cms_files_open(base);
    for (int i = 0; i < 8; i++)
        cms_files_digest(files, open_file(i % 2 ? "huge" : "huge2"), tell, &told[i]);
    cms_files_close(files);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(told[i].calls, 1);
        assert_int_equal(told[i].error, -ECANCELED);
    }
    event_base_free(base);
}

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(directory))
        return -1;
    snprintf(cert, sizeof cert, "%s/sign.pem", directory);
    snprintf(key, sizeof key, "%s/sign.key", directory);
    run("openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=code -keyout sign.key -out "
        "sign.pem " USAGE);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    run("rm -rf %s", directory);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signatures),   cmocka_unit_test(test_again),
        cmocka_unit_test(test_certificates), cmocka_unit_test(test_files),
        cmocka_unit_test(test_end),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

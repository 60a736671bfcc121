/* What URLs begin with, for who asks how. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>

#include "base_url.h"

static void test_base_url(void **state)
{
    static const struct request_tls tls = {"TLSv1.3", "", "", ""};
    static const struct {
        struct base_url url;
        const char *host;
        bool secure;
        const char *expected;
    } cases[] = {
        {{.http_port = 8080}, "x.lab", false, "http://10.0.0.2:8080"},
        {{.http_port = 80}, NULL, false, "http://10.0.0.2"},
        {{.http_port = 443}, NULL, false, "http://10.0.0.2:443"},
        {{.http_port = 80, .https_port = 8443}, "x.lab:8443", true, "https://x.lab:8443"},
        {{.http_port = 80, .https_port = 8443}, "[::1]", true, "https://[::1]"},
        {{.http_port = 80, .https_port = 443}, NULL, true, "https://10.0.0.2"},
        {{.http_port = 80, .https_port = 80}, "", true, "https://10.0.0.2:80"},
        {{.https_port = 443}, "x.lab/evil", true, "https://10.0.0.2"},
        {{.https_port = 443}, "x.lab\r\n", true, "https://10.0.0.2"},
        {{.https_port = 8443, .only_tls = true}, "x.lab", false, "https://10.0.0.2:8443"},
        {{.fixed = "http://b", .http_port = 1}, "x.lab", true, "http://b"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct request request = {
            .protocol = REQUEST_HTTP,
            .server.s_addr = inet_addr("10.0.0.2"),
            .http = {.host = cases[i].host, .tls = cases[i].secure ? &tls : NULL}};
        char out[BASE_URL_MAX];
        base_url(&cases[i].url, &request, out);
        assert_string_equal(out, cases[i].expected);
    }
    struct request dhcp = {.protocol = REQUEST_DHCP, .server.s_addr = inet_addr("10.0.0.2")};
    char out[BASE_URL_MAX];
    base_url(&(struct base_url){.http_port = 8080, .https_port = 8443}, &dhcp, out);
    assert_string_equal(out, "http://10.0.0.2:8080");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_base_url)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

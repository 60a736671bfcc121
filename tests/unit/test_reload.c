/* What has been fetched while something else was loading is neither forgotten nor refused by the
 * end of that load. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reload.h"

static char directory[] = "/tmp/moonboot-reload-XXXXXX";
static char site[64];
static const uint8_t none[FETCH_HASH_LEN];

static struct generation *candidate(void)
{
    struct problems problems = {0};
    struct generation *g = calloc(1, sizeof *g);
    assert_non_null(g);
    memset(g->channels, 0xff, sizeof g->channels); /* -1 */
    memset(g->share, 0xff, sizeof g->share);
    g->release.source = g->commands = g->files.packages = g->decisions = -1;
    g->files.roots[REPLY_ROOT_TFTP] = g->files.roots[REPLY_ROOT_ASSETS] = -1;
    g->config = config_load(site, &problems);
    assert_non_null(g->config);
    return g;
}

/* A load that has read what was fetched, or not, and ends; what was fetched is pending. */
static struct supervisor *end_load(bool fetched, bool good)
{
    struct supervisor *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->site = site;
    control_init(&s->control);
    s->board = metrics_board_alloc();
    s->hpa = tftp_hpa_alloc(s->board);
    fetch_init(&s->fetch, s->board);
    fetch_follow(&s->fetch, site, false);
    assert_non_null(s->fetch.config);
    s->fetch.pending = true;
    memset(s->fetch.found, 7, sizeof s->fetch.found);
    s->current = candidate();
    s->candidate = candidate();
    s->candidate->release.fetched = s->fetch.astray = true;
    s->loading.fetched = fetched;
    s->swapping = good;
    if (good)
        reload_advance(s);
    else
        reload_discard(s);
    assert_null(s->candidate);
    return s;
}

static void let_go(struct supervisor *s)
{
    fetch_stop(&s->fetch);
    generation_close(s->current);
    control_close(&s->control);
    tftp_hpa_free(s->hpa);
    reload_forget(s);
    metrics_board_free(s->board);
    free(s);
}

static void test_another_load_ends(void **state)
{
    (void)state;
    for (int good = 0; good < 2; good++) {
        struct supervisor *s = end_load(false, good);
        assert_true(s->fetch.pending);
        assert_memory_equal(s->fetch.ran, none, sizeof none);
        assert_memory_equal(s->fetch.refused, none, sizeof none);
        assert_int_equal(s->fetch.astray, !good); /* of what is cached it is known to serve */
        let_go(s);
    }
}

static void test_its_own_load_ends(void **state)
{
    (void)state;
    for (int good = 0; good < 2; good++) {
        struct supervisor *s = end_load(true, good);
        assert_false(s->fetch.pending);
        assert_int_equal(!memcmp(s->fetch.ran, s->fetch.found, sizeof none), good);
        assert_int_equal(!memcmp(s->fetch.refused, s->fetch.found, sizeof none), !good);
        let_go(s);
    }
}

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(directory))
        return -1;
    snprintf(site, sizeof site, "%s/site.yaml", directory);
    FILE *file = fopen(site, "w");
    if (!file)
        return -1;
    fputs("policy: https://127.0.0.1:1/r.bundle\npolicy_cache: cache\ntftp: { backend: off }\n",
          file);
    return fclose(file);
}

static int tear_down(void **state)
{
    (void)state;
    return unlink(site) || rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_another_load_ends),
        cmocka_unit_test(test_its_own_load_ends),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

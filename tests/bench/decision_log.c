/* What the decision log adds to a decision: CPU time of whole /ipxe requests with and without
 * it, in turns; the median of the rounds. Exit 1 when the target is missed. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "decision_log.h"
#include "log.h"
#include "policy.h"

#define ROUNDS    41
#define BATCH     2000
#define TARGET_US 3.0

static struct metrics_board *board;

static void take(struct reply *reply, void *arg)
{
    (void)arg;
    reply_free(reply);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double batch(struct policy *policy)
{
    struct request request = {
        .protocol = REQUEST_HTTP,
        .client.s_addr = inet_addr("10.0.0.50"),
        .server.s_addr = inet_addr("10.0.0.2"),
        .http = {.method = "GET",
                 .path = "/ipxe",
                 .query = "uuid=4c4c4544-0052-3510-8051-b4c04f4e3732&mac=52:54:00:12:34:56&"
                          "serial=R5QNN72&manufacturer=Dell&product=R640&platform=efi&"
                          "buildarch=x86_64&ip=10.0.0.50&hostname=node1&row=b",
                 .user_agent = "iPXE/1.0"}};
    double start = now();
    for (int i = 0; i < BATCH; i++)
        policy_decide(policy, &request, take, NULL);
    return (now() - start) / BATCH;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *of)
{
    qsort(of, ROUNDS, sizeof *of, by_size);
    return of[ROUNDS / 2];
}

int main(void)
{
    static double off[ROUNDS], on[ROUNDS];
    char dir[] = "/dev/shm/moonboot-bench-XXXXXX", path[64], file[64];
    struct problems problems = {0};
    if (!mkdtemp(dir) || !(board = metrics_board_alloc()))
        return 2;
    snprintf(file, sizeof file, "%s/policy.lua", dir);
    snprintf(path, sizeof path, "%s/decisions.jsonl", dir);
    FILE *out = fopen(file, "w");
    fputs("profile 'compute' { kernel = 'vmlinuz', initrd = 'initrd.img', args = { 'quiet' } }\n"
          "rule 'rack 12' { match = { uuid = prefix '4c4c4544-0052' }, boot = 'compute' }\n",
          out);
    fclose(out);
    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    struct policy_options options = {.dir = open(dir, O_PATH | O_DIRECTORY),
                                     .file = "policy.lua",
                                     .display = "policy.lua",
                                     .http_port = 8080,
                                     .decision_ms = 250,
                                     .memory_mb = 64,
                                     .metrics = &board->slots[0]};
    struct policy *policy = policy_load(&options, &problems);
    int log = decision_log_open(path);
    if (!policy || log < 0)
        return 2;
    for (int i = 0; i < ROUNDS; i++) {
        policy_log_to(policy, -1);
        off[i] = batch(policy);
        policy_log_to(policy, log);
        on[i] = batch(policy);
        if (ftruncate(log, 0) < 0)
            return 2;
    }
    double before = median(off), after = median(on);
    printf("a decision: %.2f us, with the decision log %.2f us: %.2f us more (target %.1f)\n",
           before, after, after - before, TARGET_US);
    unlink(path);
    unlink(file);
    rmdir(dir);
    policy_free(policy);
    return after - before > TARGET_US;
}

/* libFuzzer entry for the policy loader: any text as a policy, in a sandbox of few megabytes and
 * with little time. It loads, and then decides about a machine, or it is refused with reasons. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"
#include "log.h"
#include "metrics.h"
#include "policy.h"
#include "task.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static char directory[] = "/tmp/moonboot-fuzz-XXXXXX";
static int answers;

static void require(int condition)
{
    if (!condition)
        abort();
}

static void on_done(struct reply *reply, void *arg)
{
    (void)arg;
    require(reply != NULL);
    answers++;
    reply_free(reply);
}

static void clean_up(void)
{
    char path[64];
    snprintf(path, sizeof path, "%s/policy.lua", directory);
    unlink(path);
    rmdir(directory);
}

static int open_directory(void)
{
    require(mkdtemp(directory) != NULL);
    atexit(clean_up);
    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    freopen("/dev/null", "w", stdout);
    require(task_clock_start());
    return files_root_open(directory);
}

static void write_policy(int dir, const uint8_t *data, size_t len)
{
    int fd = openat(dir, "policy.lua", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    require(fd >= 0 && write(fd, data, len) == (ssize_t)len);
    close(fd);
}

static void decide(struct policy *policy)
{
    struct request request = {.protocol = REQUEST_HTTP, .interface = "eth0"};
    request.client.s_addr = htonl(0x0a010009);
    request.server.s_addr = htonl(0x0a000002);
    request.http.method = "GET";
    request.http.path = "/ipxe";
    request.http.query = "mac=52:54:00:12:34:56&platform=efi&buildarch=x86_64&serial=R5";
    request.http.user_agent = "iPXE/1.21.1";
    policy_decide(policy, &request, on_done, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct metrics metrics;
    static int dir = -1;
    struct problems problems = {0};
    if (dir < 0)
        dir = open_directory();
    write_policy(dir, data, len);
    struct policy_options options = {.dir = dir,
                                     .file = "policy.lua",
                                     .display = "policy.lua",
                                     .http_port = 8080,
                                     .decision_ms = 20,
                                     .wait_ms = 100,
                                     .memory_mb = 16,
                                     .metrics = &metrics};
    struct policy *policy = policy_load(&options, &problems);
    require(!policy == (problems.n > 0));
    for (size_t i = 0; i < problems.n; i++)
        require(*problems.lines[i] != '\0');
    if (policy) {
        answers = 0;
        require(policy_start(policy, &metrics, NULL, NULL));
        decide(policy);
        require(answers == 1);
    }
    policy_free(policy);
    problems_clear(&problems);
    return 0;
}

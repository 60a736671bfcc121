/* libFuzzer entry for what Lua makes of requests: hostile names, paths, queries and options, to a
 * good policy. Each has an answer, and none makes the engine fail: the policy itself cannot. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "files.h"
#include "log.h"
#include "metrics.h"
#include "policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const char policy_text[] =
    "dhcp { vendors = { 'Other' } }\n"
    "profile 'linux' { kernel = 'k', initrd = { 'i' }, args = { 'a=b' },\n"
    "  config = { ['user-data'] = '{{json {mac, uuid, serial, product, label}}}', ['d/e'] = 'x' "
    "},\n"
    "  files = { ['a.efi'] = 'b.efi', secret = false } }\n"
    "profile 'pxe' { kernel = 'k', dhcp = { loader = 'pxelinux' } }\n"
    "profile 'grub' { kernel = 'k', dhcp = { loader = 'grub' } }\n"
    "serve '/hello/:name/*rest' (function (request) return request.params.name end)\n"
    "rule 'deny' { match = { serial = prefix 'D' }, boot = deny 'no: {{serial}}' }\n"
    "rule 'menu' { match = { serial = prefix 'M' }, boot = menu { { 'a', 'linux' }, { 'b', disk } "
    "} }\n"
    "rule 'some' { match = { serial = prefix 'R' }, boot = rollout { percent = 50, use = 'linux', "
    "otherwise = disk } }\n"
    "rule 'glob' { match = { product = glob '*[a-f]?x*' }, boot = 'grub' }\n"
    "rule 'net' { match = { ip = subnet '10.0.0.0/8', arch = 'bios' }, boot = 'pxe' }\n"
    "rule 'label' { match = { label = { rack = suffix '2' } }, boot = chain "
    "'http://h/{{url(label.rack)}}' }\n"
    "rule 'agent' { match = { relay = present }, boot = shell }\n"
    "rule 'function' { match = { uuid = present }, boot = function (m) return m.serial and 'linux' "
    "end }\n"
    "rule 'rest' { boot = 'linux' }\n";

static struct metrics metrics;
static int answers;

static void require(int condition)
{
    if (!condition)
        abort();
}

static struct policy *load(void)
{
    char directory[] = "/tmp/moonboot-fuzz-XXXXXX", path[64];
    struct problems problems = {0};
    require(mkdtemp(directory) != NULL);
    snprintf(path, sizeof path, "%s/p.lua", directory);
    FILE *file = fopen(path, "w");
    require(file != NULL);
    fputs(policy_text, file);
    fclose(file);
    struct policy_options options = {.dir = files_root_open(directory),
                                     .file = "p.lua",
                                     .display = "p.lua",
                                     .http_port = 8080,
                                     .decision_ms = 2000,
                                     .wait_ms = 100,
                                     .memory_mb = 64,
                                     .metrics = &metrics};
    struct policy *policy = policy_load(&options, &problems);
    for (size_t i = 0; i < problems.n; i++)
        fprintf(stderr, "%s\n", problems.lines[i]);
    unlink(path);
    rmdir(directory);
    require(policy && policy_start(policy, &metrics, NULL, NULL));
    return policy;
}

static void on_done(struct reply *reply, void *arg)
{
    (void)arg;
    require(reply != NULL);
    answers++;
    if (reply->kind == REPLY_FILE)
        require(reply->file.path != NULL);
    if (reply->kind == REPLY_BODY)
        require(reply->body.status >= 200 && reply->body.status <= 599);
    reply_free(reply);
}

/* The next piece of the input, which ends with a NUL or the input; "" when nothing is left. */
static const char *next(const char **at, const char *end)
{
    const char *piece = *at;
    const char *nul = memchr(piece, 0, (size_t)(end - piece));
    *at = nul ? nul + 1 : end;
    return piece;
}

static const char *or_none(const char *text)
{
    return *text ? text : NULL;
}

static struct bytes view(const char *text)
{
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

static void fill_dhcp(struct request_dhcp *dhcp, uint8_t flags, const char **at, const char *end)
{
    dhcp->message = flags % 3;
    dhcp->boot_server_port = flags & 4;
    dhcp->has_mac = flags & 8;
    dhcp->has_uuid = flags & 16;
    dhcp->has_boot_item = flags & 32;
    dhcp->is_ipxe = flags & 64;
    dhcp->giaddr.s_addr = flags & 128 ? htonl(0x0a000001) : 0;
    const char *bytes = next(at, end);
    strncpy((char *)dhcp->mac, bytes, sizeof dhcp->mac);
    strncpy((char *)dhcp->uuid, bytes, sizeof dhcp->uuid);
    dhcp->arch = *bytes ? *bytes & 0x1f : REQUEST_NO_ARCH;
    dhcp->vendor_class = view(next(at, end));
    dhcp->user_class = view(next(at, end));
    dhcp->hostname = view(next(at, end));
    dhcp->circuit_id = view(next(at, end));
    dhcp->remote_id = view(next(at, end));
    dhcp->ipxe = view(next(at, end));
}

static void fill_http(struct request_http *http, uint8_t flags, char *path, size_t size,
                      const char **at, const char *end)
{
    static const char *const methods[] = {"GET", "HEAD", "POST"};
    http->method = methods[flags % 3];
    snprintf(path, size, "/%s", next(at, end));
    http->path = path;
    http->query = or_none(next(at, end));
    http->host = or_none(next(at, end));
    http->user_agent = flags & 8 ? "iPXE/1.0" : or_none(next(at, end));
    http->body = view(next(at, end));
}

/* Not memmem, by whose arguments libFuzzer learns what to write. */
__attribute__((no_sanitize("coverage"))) static bool holds(const char *text, size_t len,
                                                           const char *word)
{
    for (size_t at = 0; at < len; at++) {
        size_t n = 0;
        while (word[n] && at + n < len && text[at + n] == word[n])
            n++;
        if (!word[n])
            return true;
    }
    return false;
}

/* Decides, and looks at what is logged: malformed fields are, an engine that fails must not be.
 * What is logged of the input has its own text, of which the first letter may be the end of an
 * escape. */
static void decide(struct policy *policy, const struct request *request, const char *input,
                   size_t len)
{
    static const char *const failures[] = {"lua/", "attempt to "};
    static int log = -1, saved = -1;
    static char said[16384];
    if (log < 0) {
        log = memfd_create("log", 0);
        saved = dup(2);
    }
    require(ftruncate(log, 0) == 0 && lseek(log, 0, SEEK_SET) == 0 && dup2(log, 2) == 2);
    policy_decide(policy, request, on_done, NULL);
    dup2(saved, 2);
    ssize_t n = pread(log, said, sizeof said, 0);
    for (size_t i = 0; n > 0 && i < sizeof failures / sizeof *failures; i++) {
        if (!holds(said, (size_t)n, failures[i]) || holds(input, len, failures[i] + 1))
            continue;
        fprintf(stderr, "%.*s", (int)n, said);
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct policy *policy;
    static char path[4096];
    struct request request = {.interface = "eth0"};
    if (!policy) {
        log_setup(LOG_LEVEL_WARN, LOG_FORMAT_TEXT);
        policy = load();
    }
    if (len < 3 || len > 4000)
        return 0;
    char *text = malloc(len - 1);
    memcpy(text, data + 2, len - 2);
    text[len - 2] = '\0';
    const char *at = text, *end = text + len - 2;
    request.protocol = data[0] % 3;
    request.client.s_addr = data[0] & 128 ? 0 : htonl(0x0a010009);
    request.server.s_addr = htonl(0x0a000002);
    if (request.protocol == REQUEST_DHCP)
        fill_dhcp(&request.dhcp, data[1], &at, end);
    else if (request.protocol == REQUEST_TFTP)
        request.tftp.file = next(&at, end);
    else
        fill_http(&request.http, data[1], path, sizeof path, &at, end);
    answers = 0;
    decide(policy, &request, text, len - 2);
    require(answers == 1);
    free(text);
    return 0;
}

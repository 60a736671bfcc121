/* What a decision costs as policies and inventories grow: CPU time of a whole /ipxe request,
 * from struct request to the rendered script. `make bench-rules` prints the table.
 *
 * All sizes are measured in turns, so that a noisy machine is noisy for all; a figure is the
 * median of the rounds. Ratios are to the first of a kind. Exit 1 when a target is missed.
 * `rules --decision` measures 1,000,000 hosts alone, with and without the script, as JSON. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "files.h"
#include "inventory.h"
#include "log.h"
#include "metrics.h"
#include "policy.h"

#define ROUNDS 31
#define BATCH  400

struct world {
    const char *kind;
    long n;
    double target; /* ratio */
    struct policy *policy;
    double load_ms;
    double us[ROUNDS];
};

static struct world worlds[] = {
    {"hosts", 10, 0, .policy = NULL},       {"hosts", 1000, 1.5, .policy = NULL},
    {"hosts", 100000, 1.5, .policy = NULL}, {"hosts", 1000000, 1.5, .policy = NULL},
    {"rules", 10, 0, .policy = NULL},       {"rules", 1000, 2, .policy = NULL},
    {"rules", 10000, 2, .policy = NULL},    {"rules", 100000, 2, .policy = NULL},
};
#define N_WORLDS (sizeof worlds / sizeof *worlds)

static char directory[] = "/tmp/moonboot-bench-XXXXXX";
static struct metrics_board *board;
static size_t answered;
static char asked[BATCH][512]; /* queries, or names of files: what the clock does not count */

static const char profile[] =
    "profile 'compute' { kernel = 'el9/vmlinuz', initrd = { 'el9/initrd.img' },\n"
    "  args = { 'ip=dhcp', 'hostname={{serial}}', 'console=ttyS1,115200n8' } }\n";

/* Rules of all kinds, in a loop: a file of 100,000 would have too many constants. */
static const char rules[] =
    "for i = 1, N do\n"
    "  local match\n"
    "  local serial = ('S%07d'):format(i)\n"
    "  local hex = ('%06x'):format(i)\n"
    "  if i % 5 == 0 then match = { serial = serial, arch = { 'efi-x64', 'bios' } }\n"
    "  elseif i % 5 == 1 then match = { mac = '525400' .. hex, firmware = 'ipxe' }\n"
    "  elseif i % 5 == 2 then match = { uuid = prefix('4c4c4544-00' .. hex:sub(1, 2) .. '-'\n"
    "      .. hex:sub(3)), serial = except 'unknown' }\n"
    "  elseif i % 5 == 3 then match = { gateway = subnet(('10.%d.%d.%d/30'):format(\n"
    "      math.floor(i / 16384) % 256, math.floor(i / 64) % 256, i % 64 * 4)) }\n"
    "  else match = { serial = { serial, serial .. 'X' }, product = glob 'PowerEdge*' } end\n"
    "  rule('rule ' .. i) { match = match, boot = 'compute', args = { 'rule=' .. i } }\n"
    "end\n"
    "rule 'rest' { boot = disk }\n";

static double cpu_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static FILE *create(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "w");
    if (!file) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        exit(2);
    }
    return file;
}

static void mac_of(long i, char mac[32])
{
    snprintf(mac, 32, "52:54:00:%02lx:%02lx:%02lx", i >> 16 & 255, i >> 8 & 255, i & 255);
}

enum format { YAML, JSON, CSV };
static const char *const suffixes[] = {"yaml", "json", "csv"};

/* Writes n hosts; returns the bytes that are their own: key, arguments, vars. */
static size_t write_hosts(const char *name, long n, enum format format)
{
    FILE *file = create(name);
    size_t own = 0;
    char mac[32];
    if (format != YAML)
        fputs(format == CSV ? "mac,boot,args,rack\n" : "{\n", file);
    for (long i = 1; i <= n; i++) {
        char host[32];
        mac_of(i, mac);
        own += strlen(mac) + (size_t)snprintf(host, sizeof host, "host=n%ld", i) + 2;
        if (format == CSV)
            fprintf(file, "%s,compute,%s,%02ld\n", mac, host, i % 40);
        else if (format == YAML)
            fprintf(file, "%s: { boot: compute, args: [%s], vars: { rack: \"%02ld\" } }\n", mac,
                    host, i % 40);
        else
            fprintf(file,
                    "\"%s\": {\"boot\": \"compute\", \"args\": [\"%s\"], "
                    "\"vars\": {\"rack\": \"%02ld\"}}%s\n",
                    mac, host, i % 40, i < n ? "," : "\n}");
    }
    fclose(file);
    return own;
}

static struct policy *load(struct world *world)
{
    FILE *file = create("policy.lua");
    fputs(profile, file);
    if (!strcmp(world->kind, "hosts")) {
        write_hosts("hosts.csv", world->n, CSV);
        fputs("rule 'hosts' { boot = inventory 'hosts.csv' }\n", file);
    } else {
        fprintf(file, "local N = %ld\n%s", world->n, rules);
    }
    fclose(file);
    struct problems problems = {0};
    int dir = open(directory, O_RDONLY | O_DIRECTORY);
    struct policy_options options = {.dir = dir,
                                     .file = "policy.lua",
                                     .display = "policy.lua",
                                     .http_port = 8080,
                                     .decision_ms = 250,
                                     .memory_mb = 1024,
                                     .metrics = &board->slots[0]};
    double start = cpu_us();
    struct policy *policy = policy_load(&options, &problems);
    world->load_ms = (cpu_us() - start) / 1000;
    for (size_t i = 0; i < problems.n; i++)
        fprintf(stderr, "%s\n", problems.lines[i]);
    if (!policy)
        exit(2);
    close(dir);
    return policy;
}

static void take(struct reply *reply, void *arg)
{
    (void)arg;
    answered += reply->kind == REPLY_BODY && strstr((char *)reply->body.data, "kernel") != NULL;
    reply_free(reply);
}

static void take_file(struct reply *reply, void *arg)
{
    (void)arg;
    answered += reply->kind == REPLY_FILE;
    reply_free(reply);
}

/* The query of machine number i, which is one that the policy knows. */
static void write_query(const struct world *world, long i, char query[512])
{
    char mac[32];
    bool by_uuid = i % 5 == 2, by_gateway = i % 5 == 3, hosts = !strcmp(world->kind, "hosts");
    mac_of(i, mac);
    long other = hosts ? i : 0;
    snprintf(query, 512,
             "platform=efi&buildarch=x86_64&uuid=4c4c4544-00%02lx-%04lx-8051-b4c04f4e3732"
             "&serial=S%07ld&manufacturer=Dell%%20Inc.&product=PowerEdge%%20R640"
             "&mac=%s&ip=10.0.0.50&gateway=10.%ld.%ld.%ld",
             by_uuid ? i >> 16 & 255 : 255, by_uuid ? i & 0xffff : 0xffff,
             hosts || i % 5 == 0 || i % 5 == 4 ? i : other,
             hosts || i % 5 == 1 ? mac : "52:54:01:00:00:00", by_gateway ? i / 16384 % 256 : 255,
             by_gateway ? i / 64 % 256 : 255, by_gateway ? i % 64 * 4 + 1 : 255);
}

static void ask_script(const struct world *world, const char *query)
{
    struct request request = {
        .protocol = REQUEST_HTTP,
        .client.s_addr = htonl(0x0a000032),
        .server.s_addr = htonl(0x0a000002),
        .http = {.method = "GET", .path = "/ipxe", .query = query, .user_agent = "iPXE/1.21.1"}};
    policy_decide(world->policy, &request, take, NULL);
}

/* The file of its own that machine number i asks for by TFTP. */
static void write_name(const struct world *world, long i, char name[512])
{
    (void)world;
    snprintf(name, 512, "52-54-00-%02lx-%02lx-%02lx/file", i >> 16 & 255, i >> 8 & 255, i & 255);
}

/* A decision, and nothing to render. */
static void ask_bare(const struct world *world, const char *name)
{
    struct request request = {.protocol = REQUEST_TFTP,
                              .client.s_addr = htonl(0x0a000032),
                              .server.s_addr = htonl(0x0a000002),
                              .tftp = {.file = name}};
    policy_decide(world->policy, &request, take_file, NULL);
}

static uint64_t random_state = 0x9e3779b97f4a7c15u;

static long random_below(long n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (long)(random_state % (uint64_t)n);
}

/* CPU time of one of BATCH requests of machines at random, in microseconds. */
static double measure_with(const struct world *world,
                           void (*write)(const struct world *world, long i, char text[512]),
                           void (*ask)(const struct world *world, const char *text))
{
    for (int i = 0; i < BATCH; i++)
        write(world, 1 + random_below(world->n), asked[i]);
    answered = 0;
    double start = cpu_us();
    for (int i = 0; i < BATCH; i++)
        ask(world, asked[i]);
    double took = cpu_us() - start;
    if (answered != BATCH) {
        fprintf(stderr, "%s %ld: %zu of %d answered\n", world->kind, world->n, answered, BATCH);
        exit(2);
    }
    return took / BATCH;
}

static double measure(const struct world *world)
{
    return measure_with(world, write_query, ask_script);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static bool print_decisions(void)
{
    bool good = true;
    double first = 0;
    printf("%-10s %10s %14s %7s %8s %10s\n", "", "size", "us a decision", "ratio", "target",
           "load, ms");
    for (size_t i = 0; i < N_WORLDS; i++) {
        struct world *world = &worlds[i];
        qsort(world->us, ROUNDS, sizeof *world->us, by_size);
        double median = world->us[ROUNDS / 2];
        first = world->target > 0 ? first : median;
        bool met = world->target == 0 || median / first <= world->target;
        printf("%-10s %10ld %14.1f %7.2f %8.1f %10.1f%s\n", world->kind, world->n, median,
               median / first, world->target, world->load_ms, met ? "" : "  MISSED");
        good = good && met;
    }
    return good;
}

/* Load times and memory of inventories alone. */
static bool print_inventories(void)
{
    static const struct inventory_field fields[] = {{"mac", INVENTORY_MAC}};
    bool good = true;
    printf("\n%-10s %10s %14s %12s %22s\n", "inventory", "hosts", "load, ms", "bytes a host",
           "beyond their own data");
    int dir = open(directory, O_RDONLY | O_DIRECTORY);
    for (int million = 0; million < 2; million++) {
        for (enum format format = YAML; format <= CSV; format++) {
            char name[32], *text;
            size_t len, own;
            struct problems problems = {0};
            long n = million ? 1000000 : 100000;
            snprintf(name, sizeof name, "hosts.%s", suffixes[format]);
            own = write_hosts(name, n, format);
            if (files_read_beneath(dir, name, (size_t)1 << 30, &text, &len) != 0)
                exit(2);
            struct inventory_options options = {.display = name, .fields = fields, .n_fields = 1};
            double start = cpu_us();
            struct inventory *inventory = inventory_load(text, len, &options, &problems);
            double ms = (cpu_us() - start) / 1000;
            if (!inventory)
                exit(2);
            double bytes = (double)inventory_memory(inventory) / (double)n;
            double beyond = bytes - (double)own / (double)n;
            bool met = million ? beyond < 400 : ms < 1000;
            printf("%-10s %10ld %14.0f %12.1f %22.1f%s\n", suffixes[format], n, ms, bytes, beyond,
                   met ? "" : "  MISSED");
            good = good && met;
            inventory_free(inventory);
            free(text);
        }
    }
    close(dir);
    return good;
}

static void remove_files(void)
{
    static const char *const names[] = {"policy.lua", "hosts.csv", "hosts.json", "hosts.yaml"};
    char path[256];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", directory, names[i]);
        unlink(path);
    }
    rmdir(directory);
}

/* With the largest inventory alone: a decision, and one with its script, as JSON. */
static int print_decision(struct world *world)
{
    double bare[ROUNDS];
    world->policy = load(world);
    for (int round = -1; round < ROUNDS; round++) {
        double decision = measure_with(world, write_name, ask_bare);
        double whole = measure(world);
        if (round >= 0) { /* the one before only warms up */
            bare[round] = decision;
            world->us[round] = whole;
        }
    }
    qsort(bare, ROUNDS, sizeof *bare, by_size);
    qsort(world->us, ROUNDS, sizeof *world->us, by_size);
    printf("{\"hosts\": %ld, \"load_ms\": %.1f, \"decision_us\": %.3f, \"script_us\": %.3f}\n",
           world->n, world->load_ms, bare[ROUNDS / 2], world->us[ROUNDS / 2]);
    policy_free(world->policy);
    metrics_board_free(board);
    return 0;
}

int main(int argc, char **argv)
{
    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    board = metrics_board_alloc();
    if (!board || !mkdtemp(directory))
        return 2;
    atexit(remove_files);
    if (argc == 2 && !strcmp(argv[1], "--decision"))
        return print_decision(&worlds[3]);
    for (size_t i = 0; i < N_WORLDS; i++) {
        worlds[i].policy = load(&worlds[i]);
        measure(&worlds[i]);
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < N_WORLDS; i++)
            worlds[i].us[round] = measure(&worlds[i]);
    }
    bool good = print_decisions();
    for (size_t i = 0; i < N_WORLDS; i++)
        policy_free(worlds[i].policy);
    good = print_inventories() && good;
    metrics_board_free(board);
    return good ? 0 : 1;
}

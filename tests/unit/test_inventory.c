/* Inventories: what is read from YAML, JSON and CSV, what is wrong with them, and how they are
 * found again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inventory.h"

static const struct inventory_field fields[] = {
    {"mac", INVENTORY_MAC}, {"uuid", INVENTORY_UUID},   {"serial", INVENTORY_TEXT},
    {"ip", INVENTORY_IP},   {"vlan", INVENTORY_NUMBER}, {"hostname", INVENTORY_LOWER},
};

static struct inventory *load(const char *name, const char *key, const char *text,
                              struct problems *problems)
{
    struct inventory_options options = {
        .display = name, .key = key, .fields = fields, .n_fields = sizeof fields / sizeof *fields};
    /* A copy of its own size: what reads on behind it is found out. */
    size_t len = strlen(text);
    char *copy = malloc(len + 1);
    memcpy(copy, text, len);
    struct inventory *inventory = inventory_load(copy, len, &options, problems);
    free(copy);
    return inventory;
}

static struct inventory *good(const char *name, const char *key, const char *text)
{
    struct problems problems = {0};
    struct inventory *inventory = load(name, key, text, &problems);
    if (!inventory)
        fail_msg("%s", problems.lines[0]);
    assert_int_equal(problems.n, 0);
    return inventory;
}

static void bad(const char *name, const char *key, const char *text, const char *expected)
{
    struct problems problems = {0};
    char found[4096] = "";
    assert_null(load(name, key, text, &problems));
    for (size_t i = 0; i < problems.n; i++)
        snprintf(found + strlen(found), sizeof found - strlen(found), "%s\n", problems.lines[i]);
    problems_clear(&problems);
    assert_string_equal(found, expected);
}

__attribute__((format(printf, 3, 4))) static void put(char *out, size_t size, const char *format,
                                                      ...)
{
    va_list args;
    va_start(args, format);
    size_t len = strlen(out);
    vsnprintf(out + len, size - len, format, args);
    va_end(args);
}

static void put_value(struct inventory_host *host, const struct inventory_value *value, char *out,
                      size_t size)
{
    struct inventory_value item;
    if (value->kind == INVENTORY_STRING)
        put(out, size, "'%.*s'", (int)value->len, value->text);
    else if (value->kind == INVENTORY_SEALED)
        put(out, size, "<%.*s>", (int)value->len, value->text);
    else if (value->kind == INVENTORY_DOUBLE)
        put(out, size, "%g", value->number);
    else if (value->kind == INVENTORY_BOOLEAN)
        put(out, size, "%s", value->boolean ? "true" : "false");
    if (value->kind != INVENTORY_LIST && value->kind != INVENTORY_MAPPING)
        return;
    put(out, size, "{");
    for (inventory_take_value(host, &item); item.kind != INVENTORY_END;
         inventory_take_value(host, &item)) {
        put(out, size, " %.*s%s", (int)item.name_len, item.name ? item.name : "",
            item.name ? "=" : "");
        put_value(host, &item, out, size);
    }
    put(out, size, " }");
}

/* A host as text: "line 3: boot compute [a] [b] rack=12 name='x'". */
static const char *host_of(const struct inventory *inventory, const char *key)
{
    static const char *const verdicts[] = {"nothing", "boot", "disk", "ignore",
                                           "shell",   "deny", "chain"};
    static char out[4096];
    struct inventory_host host;
    struct inventory_value value;
    const char *text;
    size_t len;
    bool sealed;
    *out = '\0';
    if (!inventory_find(inventory, key, strlen(key), &host))
        return "none";
    put(out, sizeof out, "line %u: %s", host.line, verdicts[host.verdict]);
    if (host.text)
        put(out, sizeof out, " %.*s", (int)host.len, host.text);
    while (inventory_take_arg(&host, &text, &len, &sealed))
        put(out, sizeof out, sealed ? " <%.*s>" : " [%.*s]", (int)len, text);
    while (inventory_take_var(inventory, &host, &value)) {
        put(out, sizeof out, " %.*s=", (int)value.name_len, value.name);
        put_value(&host, &value, out, sizeof out);
    }
    return out;
}

static void test_yaml(void **state)
{
    (void)state;
    struct inventory *i = good("h.yaml", NULL,
                               "# hosts\n"
                               "52-54-00-00-00-01: { boot: compute, args: [a, 'b c'], vars: "
                               "{ rack: 12, up: true, s: '12', n: ~, old: 007 } }\n"
                               "5254.0000.0002: disk\n"
                               "52:54:00:00:00:03: deny not today\n"
                               "52:54:00:00:00:04: {boot: chain http://x/y}\n"
                               "52:54:00:00:00:05:\n"
                               "52:54:00:00:00:06: { vars: { d: [a, {b: 1}], e: [], f: {g: ~} } }\n"
                               "52:54:00:00:00:07: shell\n"
                               "52:54:00:00:00:08: ignore\n");
    assert_int_equal(inventory_count(i), 8);
    assert_string_equal(inventory_key(i)->name, "mac");
    assert_string_equal(host_of(i, "52:54:00:00:00:01"),
                        "line 2: boot compute [a] [b c] rack=12 up=true s='12' old='007'");
    assert_string_equal(host_of(i, "525400000002"), "line 3: disk");
    assert_string_equal(host_of(i, "52:54:00:00:00:03"), "line 4: deny not today");
    assert_string_equal(host_of(i, "52:54:00:00:00:04"), "line 5: chain http://x/y");
    assert_string_equal(host_of(i, "52:54:00:00:00:05"), "line 6: nothing");
    assert_string_equal(host_of(i, "52:54:00:00:00:06"),
                        "line 7: nothing d={ 'a' { b=1 } } e={ } f={ }");
    assert_string_equal(host_of(i, "52:54:00:00:00:07"), "line 8: shell");
    assert_string_equal(host_of(i, "52:54:00:00:00:08"), "line 9: ignore");
    assert_string_equal(host_of(i, "52:54:00:00:00:09"), "none");
    assert_string_equal(host_of(i, "no address"), "none");
    assert_int_equal(inventory_bootless(i), 6);
    assert_string_equal(inventory_profile(i, 0)->text, "compute");
    assert_null(inventory_profile(i, 1));
    assert_string_equal(inventory_var(i, 0)->text, "rack");
    inventory_free(i);
}

static void test_anchors(void **state)
{
    (void)state;
    struct inventory *i = good("h.yml", NULL,
                               "52:54:00:00:00:01: &a { boot: x, args: [1], vars: { v: 1 } }\n"
                               "52:54:00:00:00:02: *a\n"
                               "52:54:00:00:00:03: { <<: *a, args: [2] }\n"
                               "52:54:00:00:00:04: { args: [3], <<: [ { boot: y }, *a ] }\n");
    assert_string_equal(host_of(i, "52:54:00:00:00:02"), "line 2: boot x [1] v=1");
    assert_string_equal(host_of(i, "52:54:00:00:00:03"), "line 3: boot x [2] v=1");
    assert_string_equal(host_of(i, "52:54:00:00:00:04"), "line 4: boot y [3] v=1");
    inventory_free(i);
}

static void test_keys(void **state)
{
    (void)state;
    struct inventory *i = good("h.yaml", NULL, "key: serial\nhosts:\n  A1: x\n  'B ': y\n");
    assert_string_equal(host_of(i, "A1"), "line 3: boot x");
    assert_string_equal(host_of(i, "A1  "), "line 3: boot x");
    assert_string_equal(host_of(i, "a1"), "none");
    assert_string_equal(host_of(i, "B"), "line 4: boot y");
    inventory_free(i);
    i = good("h.yaml", "uuid", "4C4C4544-0052-3510-8051-B4C04F4E3732: x\n");
    assert_string_equal(host_of(i, "{4c4c454400523510-8051-b4c04f4e3732}"), "none");
    assert_string_equal(host_of(i, "4c4c4544-0052-3510-8051-b4c04f4e3732"), "line 1: boot x");
    inventory_free(i);
    i = good("h.yaml", "vlan", "12: x\n1e1: y\n");
    assert_string_equal(host_of(i, "12"), "line 1: boot x");
    assert_string_equal(host_of(i, "12.0"), "line 1: boot x");
    assert_string_equal(host_of(i, "10"), "line 2: boot y");
    inventory_free(i);
    i = good("h.yaml", "hostname", "Node1: x\n");
    assert_string_equal(host_of(i, "NODE1"), "line 1: boot x");
    inventory_free(i);
    i = good("h.yaml", "label.rack",
             "- { label.rack: '7', boot: x }\n- {boot: y, label.rack: '8'}\n");
    assert_string_equal(host_of(i, "7"), "line 1: boot x");
    assert_string_equal(host_of(i, "8"), "line 2: boot y");
    inventory_free(i);
    i = good("h.json", NULL,
             "{\"key\": \"ip\", \"hosts\": [{\"ip\": \"10.0.0.1\", \"boot\": \"x\"}]}");
    assert_string_equal(host_of(i, "10.0.0.1"), "line 1: boot x");
    inventory_free(i);
    i = good("h.yaml", NULL, "# nothing yet\n");
    assert_string_equal(host_of(i, "52:54:00:00:00:01"), "none");
    inventory_free(i);
    i = good("h.json", NULL, "{}");
    inventory_free(i);
}

static void test_csv(void **state)
{
    (void)state;
    struct inventory *i = good("h.csv", NULL,
                               "\xef\xbb\xbfmac,boot,args,rack,note\r\n"
                               "52:54:00:00:00:01,compute,  a  b ,12,\r\n"
                               "\r\n"
                               "52:54:00:00:00:02,\"deny \"\"x\"\", y\",,,\"two\nlines\"\r\n"
                               "52:54:00:00:00:03,,,,last");
    assert_int_equal(inventory_count(i), 3);
    assert_string_equal(host_of(i, "52:54:00:00:00:01"), "line 2: boot compute [a] [b] rack='12'");
    assert_string_equal(host_of(i, "52:54:00:00:00:02"), "line 4: deny \"x\", y note='two\nlines'");
    assert_string_equal(host_of(i, "52:54:00:00:00:03"), "line 6: nothing note='last'");
    inventory_free(i);
    i = good("h.csv", NULL, "mac,v\n52:54:00:00:00:01,");
    assert_string_equal(host_of(i, "52:54:00:00:00:01"), "line 2: nothing");
    inventory_free(i);
    i = good("h.CSV", "serial", "mac,serial\n1,A\n2,\"B,1\"\n");
    assert_string_equal(host_of(i, "B,1"), "line 3: nothing mac='2'");
    inventory_free(i);
}

static void test_bad_csv(void **state)
{
    (void)state;
    bad("h.csv", NULL, "", "h.csv:1: it is empty, expected a line of names for the columns\n");
    bad("h.csv", NULL, "serail,boot\n",
        "h.csv:1: hosts cannot be keyed by \"serail\" (did you mean \"serial\"?)\n");
    bad("h.csv", "ip", "serial,boot\n", "h.csv:1: there is no column \"ip\"\n");
    bad("h.csv", NULL, "serial,boot,boot,a b\n",
        "h.csv:1: there are two columns \"boot\"\n"
        "h.csv:1: column 4 is \"a b\": a var's name is letters, digits and _\n");
    bad("h.csv", NULL, "serial,boot\nA\n,x\nB,x,y\nB,x\nB,x\nC,\"x\"y\nD,x\"y\nE,\"x",
        "h.csv:2: found 1 values, expected 2\n"
        "h.csv:3: serial: found \"\", expected some text\n"
        "h.csv:4: found 3 values, expected 2\n"
        "h.csv:6: host \"B\" is there already, on line 5\n"
        "h.csv:7: text behind a closing quote\n"
        "h.csv:8: a quote inside a value: put all of it in quotes, and write it twice\n"
        "h.csv:9: a quote is not closed\n");
}

static void test_bad_yaml(void **state)
{
    (void)state;
    bad("h.yaml", NULL,
        "52:54:00:00:00:01: { boot: x, argz: [1], vars: { a-b: 1, x: 1, x: 2, l: [~] } }\n"
        "52:54:00:00:00:1: x\n"
        "nonsense: x\n"
        "52:54:00:00:00:02: { args: ['{{x}}'], boot: deny }\n"
        "52:54:00:00:00:03: { vars: 3, args: a, boot: [x] }\n"
        "52:54:00:00:00:04: { boot: x, boot: y, boot: [z], color: [1, { a: b }] }\n"
        "52:54:00:00:00:05: { boot: deny {{why}} }\n"
        "52:54:00:00:00:06: [a]\n"
        "52:54:00:00:00:07: { <<: 3 }\n"
        "52:54:00:00:00:08: { boot: \"a\\0b\" }\n"
        "52:54:00:00:00:09: { boot: '' }\n"
        "52:54:00:00:00:0a: [a\n",
        "h.yaml:1: unknown key \"argz\" in a host (did you mean \"args\"?)\n"
        "h.yaml:1: vars: \"a-b\": a var's name is letters, digits and _\n"
        "h.yaml:1: vars: there is a var \"x\" already\n"
        "h.yaml:1: vars: found null in a list\n"
        "h.yaml:2: host \"52:54:00:00:00:1\" is there already, on line 1\n"
        "h.yaml:3: mac: found \"nonsense\", expected a MAC address, such as 52:54:00:12:34:56\n"
        "h.yaml:4: args: {{…}} is not filled in here: use a var, and {{…}} in the profile\n"
        "h.yaml:4: boot: found \"deny\", expected \"deny WHY\"\n"
        "h.yaml:5: vars: found text, expected a mapping of names and values\n"
        "h.yaml:5: args: found text, expected a list of texts\n"
        "h.yaml:5: boot: found a list, expected a profile's name\n"
        "h.yaml:6: there is a key \"boot\" already\n"
        "h.yaml:6: there is a key \"boot\" already\n"
        "h.yaml:6: unknown key \"color\" in a host, expected boot, args or vars\n"
        "h.yaml:7: boot: found \"deny\", expected \"deny WHY\"\n"
        "h.yaml:7: did not find expected ',' or '}'\n");
    bad("h.yaml", NULL,
        "52:54:00:00:00:06: [a]\n52:54:00:00:00:07: { <<: 3 }\n"
        "52:54:00:00:00:08: { boot: \"a\\0b\" }\n52:54:00:00:00:09: { boot: '' }\n",
        "h.yaml:1: a host: found a list, expected a mapping with boot, args or vars\n"
        "h.yaml:2: <<: found text, expected a mapping, or a list of them\n"
        "h.yaml:3: boot: found a NUL byte\n"
        "h.yaml:4: boot: found no text, expected a profile's name\n");
    bad("h.yaml", NULL, "text\n",
        "h.yaml:1: hosts: found text, expected a mapping of hosts, or a list of them\n");
    bad("h.yaml", NULL, "- { boot: x }\n- y\n",
        "h.yaml:1: a host without its mac\n"
        "h.yaml:2: a host: found text, expected a mapping with boot, args or vars\n");
    bad("h.yaml", "serial", "key: mac\nhostz: 1\nhosts: {}\nhosts: {}\nkey: serial\n",
        "h.yaml:1: key is \"mac\" here, and \"serial\" in the policy\n"
        "h.yaml:2: unknown key \"hostz\" beside hosts\n"
        "h.yaml:4: there is a key \"hosts\" already\n"
        "h.yaml:5: key comes before hosts\n");
    bad("h.yaml", NULL, "key: colour\nhosts: {}\n",
        "h.yaml:1: hosts cannot be keyed by \"colour\"\n");
    bad("h.yaml", NULL, "a: *b\n", "h.yaml:1: an alias of an anchor that there is not\n");
    bad("h.txt", NULL, "",
        "h.txt:1: is it YAML, JSON or CSV? The name ends in neither .yaml, .json nor .csv\n");
}

static void test_many_problems(void **state)
{
    (void)state;
    char text[4096] = "mac\n";
    struct problems problems = {0};
    for (int i = 0; i < 50; i++)
        put(text, sizeof text, "%d\n", i);
    assert_null(load("h.csv", NULL, text, &problems));
    assert_int_equal(problems.n, INVENTORY_PROBLEMS + 1);
    assert_string_equal(problems.lines[INVENTORY_PROBLEMS], "h.csv:22: and 30 more problems");
    problems_clear(&problems);
}

/* What is wrong does not hide which profiles are named, and where. */
static void test_remains(void **state)
{
    (void)state;
    const char text[] = "mac,boot\nzz,u\n52:54:00:00:00:01,nope\n52:54:00:00:00:02,nope\n";
    struct inventory *remains = NULL;
    struct inventory_options options = {.display = "h.csv",
                                        .fields = fields,
                                        .n_fields = sizeof fields / sizeof *fields,
                                        .remains = &remains};
    struct problems problems = {0};
    assert_null(inventory_load(text, sizeof text - 1, &options, &problems));
    assert_int_equal(problems.n, 1);
    assert_non_null(remains);
    assert_string_equal(inventory_profile(remains, 0)->text, "u");
    assert_string_equal(inventory_profile(remains, 1)->text, "nope");
    assert_int_equal(inventory_profile(remains, 1)->line, 3);
    assert_int_equal(inventory_profile(remains, 1)->uses, 2);
    inventory_free(remains);
    problems_clear(&problems);

    struct inventory *inventory = inventory_load(text, 9, &options, &problems);
    assert_non_null(inventory);
    assert_null(remains);
    inventory_free(inventory);
}

#define SEALED                                                                                     \
    "seal1.0123abcd.name."                                                                         \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"                   \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static void test_sealed(void **state)
{
    static const char *const texts[][2] = {
        {"h.yaml",
         "52:54:00:00:00:01:\n  args: [a, !sealed " SEALED ", {sealed: " SEALED "}]\n"
         "  vars: { x: !sealed " SEALED ", y: [1, {sealed: " SEALED "}, {a: b}],\n"
         "          n: {sealed: true}, m: {sealed: x, more: 1}, o: {sealed: {a: b}}, e: {} }\n"},
        {"h.json",
         "{\"52:54:00:00:00:01\":\n {\"args\": [\"a\", {\"sealed\": \"" SEALED
         "\"}, {\"sealed\": \"" SEALED "\"}],\n \"vars\": {\"x\": {\"sealed\": \"" SEALED
         "\"}, \"y\": [1, {\"sealed\": \"" SEALED "\"}, {\"a\": \"b\"}],\n \"n\": "
         "{\"sealed\": true}, \"m\": {\"sealed\": \"x\", \"more\": 1}, \"o\": {\"sealed\": "
         "{\"a\": \"b\"}}, \"e\": {}}}}\n"}};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct inventory *inventory = good(texts[i][0], NULL, texts[i][1]);
        assert_string_equal(host_of(inventory, "52:54:00:00:00:01"),
                            "line 1: nothing [a] <" SEALED "> <" SEALED "> x=<" SEALED
                            "> y={ 1 <" SEALED "> { a='b' } } n={ sealed=true } m={ sealed='x' "
                            "more=1 } o={ sealed={ a='b' } } e={ }");
        for (unsigned j = 0; j < 4; j++) {
            assert_string_equal(inventory_sealed(inventory, j)->text, SEALED);
            assert_int_equal(inventory_sealed(inventory, j)->line, j < 2 ? 2 : 3);
        }
        assert_null(inventory_sealed(inventory, 4));
        inventory_free(inventory);
    }
    struct inventory *csv = good("h.csv", NULL,
                                 "serial,args,x\nS,a sealed:" SEALED " b,sealed:" SEALED "\n"
                                 "T,,sealed\n");
    assert_string_equal(host_of(csv, "S"), "line 2: nothing [a] <" SEALED "> [b] x=<" SEALED ">");
    assert_string_equal(host_of(csv, "T"), "line 3: nothing x='sealed'");
    assert_int_equal(inventory_sealed(csv, 1)->line, 2);
    inventory_free(csv);

    /* Through anchors it is still sealed. */
    struct inventory *anchors =
        good("h.yaml", NULL,
             "52:54:00:00:00:01: { vars: &v { x: !sealed " SEALED " } }\n"
             "52:54:00:00:00:02: { vars: *v, args: &a [{sealed: " SEALED "}] }\n"
             "52:54:00:00:00:03: { args: *a }\n");
    assert_string_equal(host_of(anchors, "52:54:00:00:00:03"), "line 3: nothing <" SEALED ">");
    inventory_free(anchors);

    bad("h.yaml", NULL,
        "52:54:00:00:00:01: { args: [!sealed x],\n vars: { y: !sealed seal1.00, z: {sealed: abc} } "
        "}\n"
        "52:54:00:00:00:02: !sealed " SEALED "\n52:54:00:00:00:03: { vars: {v: !sealed } }\n"
        "52:54:00:00:00:04: { boot: {sealed: " SEALED "} }\n",
        "h.yaml:1: sealed: it is no sealed value: moonboot seal makes one (seal1.…)\n"
        "h.yaml:2: sealed: it is not whole: a character of it was changed or is missing\n"
        "h.yaml:2: sealed: it is no sealed value: moonboot seal makes one (seal1.…)\n"
        "h.yaml:3: boot: found a sealed value, expected a profile's name\n"
        "h.yaml:4: sealed: it is no sealed value: moonboot seal makes one (seal1.…)\n"
        "h.yaml:5: boot: found a mapping, expected a profile's name\n");
    bad("h.csv", NULL, "serial,args,x\nS,sealed:abc,\nT,,sealed:\n",
        "h.csv:2: sealed: it is no sealed value: moonboot seal makes one (seal1.…)\n"
        "h.csv:3: sealed: it is no sealed value: moonboot seal makes one (seal1.…)\n");
    bad("h.yaml", NULL, "52:54:00:00:00:01: { args: [{sealed: " SEALED ", more: x}] }\n",
        "h.yaml:1: args: found a mapping, expected text\n");
}

static void test_many_hosts(void **state)
{
    (void)state;
    const int n = 20000;
    char *text = malloc((size_t)n * 64 + 16), *at = text, key[16], expected[64];
    at += sprintf(at, "serial,boot,v\n");
    for (int i = 0; i < n; i++)
        at += sprintf(at, "S%d,p%d,v%d\n", i, i % 300, i);
    struct inventory *inventory = good("h.csv", NULL, text);
    assert_int_equal(inventory_count(inventory), n);
    for (int i = 0; i < n; i++) {
        snprintf(key, sizeof key, "S%d", i);
        snprintf(expected, sizeof expected, "line %d: boot p%d v='v%d'", i + 2, i % 300, i);
        assert_string_equal(host_of(inventory, key), expected);
    }
    assert_string_equal(host_of(inventory, "S20000"), "none");
    assert_int_equal(inventory_profile(inventory, 0)->uses, 67);
    assert_in_range(inventory_memory(inventory), 0, (size_t)n * (INVENTORY_HOST + 20) + 40000);
    inventory_free(inventory);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_yaml),          cmocka_unit_test(test_anchors),
        cmocka_unit_test(test_keys),          cmocka_unit_test(test_csv),
        cmocka_unit_test(test_bad_csv),       cmocka_unit_test(test_bad_yaml),
        cmocka_unit_test(test_many_problems), cmocka_unit_test(test_many_hosts),
        cmocka_unit_test(test_remains),       cmocka_unit_test(test_sealed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

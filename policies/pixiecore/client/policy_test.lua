-- Tests policy.lua.

local MAC = "52:54:00:12:34:56"
local ASKED = "GET http://api.lab:4242/boot/v1/boot/" .. MAC

local function says(answer)
  return { [ASKED] = { json = answer } }
end

local full = {
  kernel  = "http://files.lab/vmlinuz",
  initrd  = { "http://files.lab/initrd.img", "/extra/firmware.img" },
  cmdline = 'console=ttyS0 note="two words"  cloud={{ URL "https://files.lab/user-data" }} root={{ URL "/root.img" }}',
  message = "Hello.",
}

test "kernel, initrds and arguments are what it says" {
  given  = { mac = MAC, arch = "efi-x64" },
  http   = says(full),
  expect = {
    rule   = "as the API says",
    kernel = "http://files.lab/vmlinuz",
    initrd = { "http://files.lab/initrd.img", "http://api.lab:4242/extra/firmware.img" },
    args   = { "console=ttyS0", 'note="two words"', "cloud=https://files.lab/user-data",
               "root=http://api.lab:4242/root.img" },
    golden = { ipxe = "full.ipxe", pixiecore = "full.json" },
  },
}

test "by DHCP too" {
  given  = { mac = MAC, arch = "efi-x64", stage = "dhcp" },
  http   = says(full),
  expect = { boot = "boot", verdict = "boot" },
}

test "a server that says its JSON is text" {
  given  = { mac = MAC },
  http   = { [ASKED] = { body = '{"kernel": "http://files.lab/vmlinuz", "initrd": null, "cmdline": null}\n' } },
  expect = { kernel = "http://files.lab/vmlinuz", initrd = {}, args = {} },
}

-- RFC 3986, 5.4: against http://api.lab:4242/boot/
test "URLs are relative to the API's" {
  given = { mac = MAC },
  cases = {
    absolute  = { http = says { kernel = "HTTPS://files.lab/k?x=1" }, expect = { kernel = "HTTPS://files.lab/k?x=1" } },
    host      = { http = says { kernel = "//files.lab/k" }, expect = { kernel = "http://files.lab/k" } },
    path      = { http = says { kernel = "/k" }, expect = { kernel = "http://api.lab:4242/k" } },
    beneath   = { http = says { kernel = "a/k" }, expect = { kernel = "http://api.lab:4242/boot/a/k" } },
    dots      = { http = says { kernel = "./../x/../k" }, expect = { kernel = "http://api.lab:4242/k" } },
    above_all = { http = says { kernel = "../../../k" }, expect = { kernel = "http://api.lab:4242/k" } },
    ends      = { http = says { kernel = "k/.." }, expect = { kernel = "http://api.lab:4242/boot/" } },
    query     = { http = says { kernel = "?k=1" }, expect = { kernel = "http://api.lab:4242/boot/?k=1" } },
  },
}

test "the older way to write a command line" {
  given  = { mac = MAC },
  http   = says {
    kernel = "/k", cmdline = { quiet = true, debug = false, role = "a node", url = { url = "/seed" } },
  },
  expect = { args = { "quiet", "role=a node", "url=http://api.lab:4242/seed" },
             ipxe = contains 'quiet role="a node" url=' },
}

test "a script is handed on" {
  given  = { mac = MAC, arch = "efi-x64" },
  http   = says { ["ipxe-script"] = "#!ipxe\necho hello\n", kernel = "" },
  expect = { boot = "chain", url = "/pixiecore/52:54:00:12:34:56/script.ipxe",
             ipxe = contains "--autofree http://10.0.0.2:8080/pixiecore/52:54:00:12:34:56/script.ipxe" },
}

test "this one" {
  get    = "/pixiecore/52:54:00:12:34:56/script.ipxe",
  cases  = {
    script  = { http = says { ["ipxe-script"] = "#!ipxe\necho hello\n" },
                expect = { status = 200, body = "#!ipxe\necho hello\n" } },
    none    = { http = says(full), expect = { status = 404 } },
    unknown = { http = { [ASKED] = { status = 404 } }, expect = { status = 404 } },
    broken  = { http = { [ASKED] = { status = 500 } }, expect = { status = 500, error = contains "status 500" } },
  },
}

test "and nobody else's" { get = "/pixiecore/../script.ipxe", expect = { status = 404 } }

test "what the API does not know is the next rule's" {
  given  = { mac = MAC },
  http   = { [ASKED] = { status = 404 } },
  expect = { rule = "everyone else", boot = "shell" },
}

local function fails(http, why)
  return { http = http, expect = { error = contains(why) } }
end

test "whatever goes wrong is the rule's on_error, and no other rule's" {
  given  = { mac = MAC },
  expect = { rule = "as the API says", boot = "disk" },
  cases  = {
    down        = fails({ [ASKED] = { unreachable = true } }, "api.lab"),
    slow        = { http = { [ASKED] = { delay = 5 } }, expect = { took = 0.3, error = contains "api.lab" } },
    broken      = fails({ [ASKED] = { status = 500 } }, "status 500"),
    teapot      = fails({ [ASKED] = { status = 418 } }, "status 418"),
    rubbish     = fails({ [ASKED] = { body = "<html>" } }, "api.lab"),
    ["no object"]     = fails({ [ASKED] = { body = '"text"' } }, "the answer is no object"),
    null              = fails({ [ASKED] = { body = "null" } }, "the answer is no object"),
    ["a list"]        = fails(says { 1 }, "it names no kernel"),
    ["no kernel"]     = fails(says { cmdline = "quiet" }, "it names no kernel"),
    ["a number"]      = fails(says { kernel = 7 }, "kernel is no text"),
    ["no URL"]        = fails(says { kernel = "a b" }, '"a b" is no URL'),
    ["a local file"]  = fails(says { kernel = "file:///srv/vmlinuz" }, "file:///srv/vmlinuz: a machine can fetch only"),
    ["initrd a text"] = fails(says { kernel = "/k", initrd = "/i" }, "initrd is no list"),
    ["odd initrds"]   = fails(says { kernel = "/k", initrd = { 7 } }, "initrd is no list of texts"),
    ["odd cmdline"]   = fails(says { kernel = "/k", cmdline = 7 }, "cmdline is neither a text nor a table by name"),
    ["a list there"]  = fails(says { kernel = "/k", cmdline = { "a" } }, "cmdline is neither"),
    ["odd argument"]  = fails(says { kernel = "/k", cmdline = { a = 7 } }, "cmdline.a is neither"),
    ["bad template"]  = fails(says { kernel = "/k", cmdline = "a={{ URL }}" }, "wrong number of args for URL"),
    ["no function"]   = fails(says { kernel = "/k", cmdline = 'a={{ ID "./x" }}' }, 'function "ID" not defined'),
    ["a URL in it"]   = fails(says { kernel = "/k", cmdline = '{{ URL "tftp://x/y" }}' }, "tftp://x/y: a machine can"),
    ["no text in it"] = fails(says { kernel = "/k", cmdline = "{{ URL 7 }}" }, "wrong type for the first argument"),
    ["ours in it"]    = fails(says { kernel = "/k", cmdline = 'a={{"{{"}}mac}}' }, "{{"),
  },
}

test "so does what no loader could pass on" {
  given  = { mac = MAC },
  expect = { ipxe = contains "booting from the local disk" },
  cases  = {
    { http = says { kernel = "/k", cmdline = 'a="x\ny"' } },
    { http = says { kernel = "/k", cmdline = 'a="x' } },
  },
}

test "for a moment what it said is good enough" {
  given = { mac = MAC },
  http  = { [ASKED] = { { json = { kernel = "/old" } }, { json = { kernel = "/new" } } } },
  steps = {
    expect { kernel = "http://api.lab:4242/old" },
    wait(4),
    expect { kernel = "http://api.lab:4242/old" },
    wait(2),
    expect { kernel = "http://api.lab:4242/new" },
  },
}

test "a machine without an address is not asked about" {
  given  = { uuid = "00112233-4455-6677-8899-aabbccddeeff" },
  files  = { ["policy.lua"] = [[
    local pixiecore = require "moonboot.pixiecore"
    rule "as the API says" { boot = pixiecore { api = "http://api.lab", cache = false } }
    rule "everyone else" { boot = shell }]] },
  expect = { boot = "shell" },
}

local function refuses(options, problem)
  test("refused: pixiecore " .. options) {
    files  = { ["policy.lua"] = 'local pixiecore = require "moonboot.pixiecore"\nrule "r" { boot = pixiecore '
                                .. options .. " }" },
    expect = { problems = contains(problem) },
  }
end

refuses("{}", "pixiecore: api is needed")
refuses('{ api = "api.lab" }', "policy.lua:2: pixiecore: api is needed")
refuses('{ api = "http://api.lab", scripts = "x y" }', "pixiecore: scripts is a path")
refuses('{ api = "http://api.lab", timout = 1 }', 'unknown key "timout" (did you mean "timeout"?)')
refuses('{ api = "http://a.lab" } }\nrule "s" { boot = pixiecore { api = "http://b.lab" }',
        'there is one with scripts = "/pixiecore" already')

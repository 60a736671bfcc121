local json = require "json"
local model = require "ipxe_model"
local policies = require "policies"
local routes = require "routes"
local simulate = require "simulate"

local tests = {}

local FILES = {
    ["policy.lua"] = [=[
profile "node" {
  kernel = "vmlinuz",
  args   = { "ds=nocloud-net;s={{config 'nocloud/'}}", "ign={{config 'node.ign'}}", "all={{config '/'}}" },
  vars   = { role = "node" },
  config = {
    ["nocloud/user-data"] = template "user-data",
    ["nocloud/meta-data"] = "instance-id: {{serial or mac}}\n",
    ["node.ign"] = template "node.ign",
    fixed = { "as it is\n", type = "text/x-fixed" },
  },
}
rule "thief"  { match = { serial = "S" }, boot = deny "stolen" }
rule "broken" { match = { serial = "B" }, boot = function() error "oops" end, on_error = "node" }
rule "login"  { match = { ["label.role"] = "login" }, boot = "node", vars = { role = "login" },
                config = { fixed = "for login\n", motd = "{{config 'motd'}}" } }
rule "leased" { match = { relay = "10.1.0.1" }, boot = disk, config = { where = "{{relay}}" } }
rule "menu"   { match = { serial = "M" }, boot = menu { title = "t",
  { "a", { kernel = "k", args = { "u={{config 'd'}}" }, config = { d = "first" } } },
  { "b", { kernel = "k", args = { "u={{config 'd'}}" }, config = { d = "second" } } },
  { "c", "node" },
} }
rule "half"   { match = { serial = "H" }, boot = "node", args = { "{{serial:nope()}}" } }
rule "made"   { match = { serial = "F" }, boot = function(m)
  return { kernel = "k", config = { made = m.mac } }
end }
rule "nodes"  { match = { mac = prefix "52:54:00" }, boot = "node" }
]=],
    ["user-data"] = "#cloud-config\nhostname: {{json(serial or 'none')}}\nrole: {{role}}\n{{ config 'fixed' }}\n",
    ["node.ign"] = "{{ json { role = role, serial = serial } }}{% if asset then %}{{asset:x()}}{% end %}",
}

local POLICY, problems = policies.load_files(FILES)
assert(POLICY, problems and table.concat(problems, "\n"))
local BASE = "http://10.0.0.2:8080"

local function get(path, query)
    return routes.handle(POLICY, { protocol = "http", method = "GET", path = path, query = query, client = "10.0.0.77",
                                   base = BASE, server = "10.0.0.2" })
end

-- The kernel arguments that a machine gets by iPXE.
local function args_of(query)
    local script = get("/ipxe", query).body
    local args = script:match("kernel %S+ (.-) ||")
    assert(args, script)
    return args
end

-- What a URL of this server gives.
local function fetch(url)
    local path, query = url:match("^http://10%.0%.0%.2:8080([^?]*)%??(.*)$")
    assert(path, url)
    return get(path, query ~= "" and query or nil)
end

function tests.by_query()
    local reply, info = get("/config/nocloud/user-data", "mac=52-54-00-00-00-01&serial=R%205")
    assert(reply.body:find('^#cloud%-config\nhostname: "R 5"\nrole: node\n'), reply.body)
    assert(reply.status == 200 and reply.type == "text/plain; charset=utf-8")
    assert(info.machine == "52:54:00:00:00:01" and info.rule == "nodes" and info.stage == "config"
        and info.verdict == "document nocloud/user-data" and info.error == nil)
    reply = get("/config/node.ign", "mac=52-54-00-00-00-01")
    assert(reply.body == '{"role": "node"}' and reply.type == "application/json")
    reply = get("/config/fixed", "mac=52-54-00-00-00-01")
    assert(reply.body == "as it is\n" and reply.type == "text/x-fixed")
end

-- The URL in the arguments gives that machine's documents, whoever asks.
function tests.by_identity()
    local query = "mac=52-54-00-00-00-01&serial=A%20%26%2F~%3d%25&role=login&platform=efi&buildarch=x86_64"
    local args = args_of(query)
    local prefix, ign, all = args:match("^ds=nocloud%-net;s=(%S+) ign=(%S+) all=(%S+)$")
    assert(prefix, args)
    assert(prefix:find("/config/~mac=52:54:00:00:00:01~serial-hex=4120262f7e3d25~", 1, true) and prefix:find("/nocloud/$"), prefix)
    assert(not args:find("[&%%?#]"), args)
    assert(prefix == all .. "nocloud/" and ign == all .. "node.ign")
    for _, name in ipairs { "nocloud/user-data", "nocloud/meta-data", "node.ign", "fixed", "motd" } do
        local reply, info = fetch(all .. name)
        assert(reply.body == get("/config/" .. name, query).body and info.rule == "login", name)
    end
    assert(fetch(prefix .. "user-data").body:find('hostname: "A &/~=%"', 1, true))
    assert(fetch(all .. "fixed").body == "for login\n")
    assert(fetch(all .. "motd").body == all .. "motd")
end

function tests.refusals()
    local reply, info = get("/config/nope", "mac=52-54-00-00-00-01")
    assert(reply.reason == "not-found" and info.verdict == "no document nope" and info.error == nil)
    reply, info = get("/config/fixed", "serial=S")
    assert(reply.reason == "denied" and reply.error == "stolen" and info.verdict == "deny: stolen")
    reply = get("/config/fixed", "mac=00-11-22-33-44-55")
    assert(reply.reason == "not-found")
    reply, info = get("/config/fixed", "mac=nonsense")
    assert(reply.status == 400 and info.error)
    for _, path in ipairs { "/config", "/config/", "/config/~mac=52:54:00:00:00:01/", "/config/~mac=52:54:00:00:00:01" } do
        reply = get(path)
        assert(reply.reason == "not-found", path)
    end
end

function tests.failures()
    local reply, info = get("/config/node.ign", "mac=52-54-00-00-00-01&asset=x")
    assert(reply.reason == "failed" and not reply.error:find("node.ign:1", 1, true), reply.error)
    assert(info.error:find("^site/node.ign:1: attempt to call method 'x'"), info.error)
    -- what on_error says has documents too, and the rule's own are left out
    reply, info = get("/config/fixed", "serial=B")
    assert(reply.body == "as it is\n" and info.error:find("oops", 1, true))
    -- args that fail make another decision, which has no documents
    reply = get("/config/fixed", "serial=H")
    assert(reply.reason == "not-found")
end

function tests.of_a_menu()
    for i, text in ipairs { "first", "second" } do
        local decision = policies.decide(POLICY, { serial = "M" }, "ipxe"):render()
        local url = decision.menu.entries[i].decision.args[1]:match("^u=(.*)$")
        assert(url:find("~entry=" .. i .. "/d$"), url)
        assert(fetch(url).body == text)
    end
    assert(get("/config/d", "serial=M").body == "first")
    assert(get("/config/fixed", "serial=M").body == "as it is\n")
    assert(get("/config/~serial=M~entry=9/d").reason == "not-found")
end

function tests.of_other_verdicts()
    local reply = get("/config/where", "relay=10.1.0.1")
    assert(reply.body == "10.1.0.1")
    reply = get("/config/made", "serial=F&mac=52-54-00-00-00-09")
    assert(reply.body == "52:54:00:00:00:09")
end

function tests.problems()
    policies.refuses([[
profile "p" {
  kernel = "k", args = {
    "{{config 'usr-data'}} {{ config('nocloud/') }}",
    "{{config 'nocluod/'}} {{config 'extra'}}" },
  config = {
    ["user-data"] = "x",
    ["nocloud/meta-data"] = 3,
    ["a b"] = "", ["/x"] = "", ["x/"] = "", ["~x"] = "", ["a/../b"] = "", ["x.minisig"] = "",
    typed = { "x", type = "text" }, list = { "x", "y", kind = "z" }, word = template,
    none = {},
  },
}
rule "with" { match = { vlan = 1 }, boot = "p", config = { extra = "" } }
rule "without" { match = { vlan = 2 }, boot = "p" }
rule "any" { boot = disk, config = { 1 } }
]], {
        'policy.lua:3: config: there is no document "usr-data" (did you mean "user-data"?)',
        'policy.lua:4: config: there is no document beneath "nocluod/" (did you mean "nocloud/"?)',
        'policy.lua:4: config: under rule "without" there is no document "extra"',
        'policy.lua:7: config.nocloud/meta-data: found 3, expected template "file", a text, or { template "file", type = "…", once = true }',
        'policy.lua:8: config./x: a document\'s name is a path such as "nocloud/user-data"',
        'policy.lua:8: config.a b: a document\'s name has only letters, digits and any of - . _ / @ +',
        'policy.lua:8: config.a/../b: a document\'s name is a path such as "nocloud/user-data"',
        "policy.lua:8: config.x.minisig: names that end in .sig, .minisig or .cms are those of documents' signatures",
        'policy.lua:8: config.x/: a document\'s name is a path such as "nocloud/user-data"',
        'policy.lua:8: config.~x: a document\'s name has only letters, digits and any of - . _ / @ +',
        'policy.lua:9: config.list: found "y", expected template "file", a text, or { template "file", type = "…", once = true }',
        'policy.lua:9: config.list: found the key "kind", expected template "file", a text, or { template "file", type = "…", once = true }',
        'policy.lua:9: config.typed.type: found "text", expected a media type, such as "text/xml"',
        'policy.lua:9: config.word: found a word without its argument',
        'policy.lua:10: config.none: found nothing, expected template "file", a text, or { template "file", type = "…", once = true }',
        'policy.lua:15: config: found the key 1, expected a table of names and documents',
    })
end

-- A name that is computed is looked for when it is known.
function tests.computed_names()
    local policy = policies.load [[
profile "p" { kernel = "k", args = { "{{config(role)}}" }, vars = { role = "user-date" }, config = { ["user-data"] = "x" } }
rule "r" { boot = "p" }]]
    local d = policies.decide(policy, {}):render()
    assert(d.error == 'policy.lua:1: config: there is no document "user-date" (did you mean "user-data"?)', d.error)
    policy = policies.load [[
profile "p" { kernel = "k", args = { "{{config('user-' .. role)}}" }, vars = { role = "data" }, config = { ["user-data"] = "x" } }
rule "r" { boot = "p" }]]
    d = policies.decide(policy, {}):render()
    assert(not d.error, d.error)
end

-- Tests and `moonboot eval` see what a machine of these fields would be given.
function tests.simulated()
    local function simulated(fields, name, stage)
        return simulate.config(POLICY, policies.machine(fields, stage or "ipxe"), name)
    end
    assert(simulated({ relay = "10.1.0.1" }, "where") == "10.1.0.1")
    assert(simulated({ mac = "525400000001", firmware = "grub" }, "fixed", "grub") == "as it is\n")
    local text, why, failed = simulated({ mac = "525400000001", asset = "x" }, "node.ign")
    assert(text == nil and failed and why:find("node.ign:1", 1, true))
    text, why, failed = simulated({ mac = "525400000001" }, "nope")
    assert(text == nil and not failed and why == "this machine has no document nope")
end

function tests.urls_of_assets()
    local policy = policies.load [[
profile "p" { kernel = "k", args = { "{{assets 'el9/os/'}}", "{{assets 'a b'}}", "{{assets 'http://m/x?y'}}", "{{assets '/config/x'}}" } }
rule "r" { boot = "p" }]]
    policy.base = BASE
    local d = policies.decide(policy, {}):render()
    assert(table.concat(d.args, " ") == BASE .. "/assets/el9/os/ " .. BASE .. "/assets/a%20b http://m/x?y " .. BASE .. "/config/x")
end

-- Ten documents and thirty arguments, for a machine whose facts are hostile: what the kernel
-- reads is what the policy wrote, and each document, at its URL, is whole.
function tests.ten_documents_and_thirty_arguments()
    local files = { ["policy.lua"] = [=[
local args, config = {}, {}
local hostile = { "#", "||", "&&", ";", "  ", "\\", "$", "$x", "{", "}", "%20", "~", "'", "é€", "a=b=c", "<>|&", "!", "`x`", "*?",
                  "\t" }
for i = 1, 10 do
  config["d" .. i .. "/data.json"] = template("t" .. i)
  args[i] = i <= 3 and "url" .. i .. "={{config 'd" .. i .. "/data.json'}}" or "plain" .. i
end
for i, text in ipairs(hostile) do
  args[10 + i] = "k" .. i .. "=<" .. text .. ">{{i or 'x'}}{{asset}}"
end
profile "p" { kernel = "k", args = args, config = config, vars = { i = "v", hostile = hostile } }
rule "r" { match = { serial = function(serial) return #serial > 5 end }, boot = "p" }
]=] }
    for i = 1, 10 do
        files["t" .. i] = "{\n{# " .. i .. " #}\n{% for i, text in ipairs(hostile) do %}\n\"t{{i}}\": {{json(text)}},\n{% end %}\n"
            .. '"serial": {{json(serial)}}, "labels": {{json(label)}}, "n": ' .. i .. "}\n"
    end
    local policy, found = policies.load_files(files)
    assert(policy, found and table.concat(found, "\n"))
    local function ask(path, query)
        return routes.handle(policy, { protocol = "http", method = "GET", path = path, query = query, client = "10.0.0.77",
                                       base = BASE, server = "10.0.0.2" })
    end
    local serial = "S #1 || \"x\" 'y' ${z} {{w}} \\ \t & % ~ = / é"
    local function encoded(text)
        return (text:gsub("[^%w]", function(c) return ("%%%02X"):format(c:byte()) end))
    end
    local query = "mac=52-54-00-00-00-01&asset=-A%23%7C%7C&platform=pcbios&buildarch=i386&serial=" .. encoded(serial)
        .. "&" .. encoded "rack ~=/" .. "=" .. encoded "\"12\" ~=/"
    local reply, log = ask("/ipxe", query)
    assert(log.error == nil, log.error)
    local line
    for _, argv in ipairs(model.run(reply.body).log) do
        line = argv[1] == "kernel" and table.concat(argv, " ", 3) or line
    end
    local args = model.kernel_arguments(line)
    local decision = policies.decide(policy, {
        mac = "525400000001", asset = "-A#||", serial = serial, arch = "bios", platform = "pcbios", buildarch = "i386",
        ip = "10.0.0.77", label = { ["rack ~=/"] = "\"12\" ~=/" },
    }, "ipxe"):render()
    assert(#decision.args == 30 and #args == 30, #args)
    for i, arg in ipairs(decision.args) do
        args[i] = table.concat(args[i], "=")
        assert(args[i] == arg, args[i] .. " is not " .. arg)
    end
    for i = 1, 10 do
        -- All of them are beneath one identity; Linux takes 2,047 bytes, so three are named.
        local path = args[1]:match("^url%d+=http://10%.0%.0%.2:8080(/config/~[%w%-.:~=]+/d%d+/data%.json)$")
        assert(path, args[1])
        path = path:gsub("/d1/", "/d" .. i .. "/")
        assert(i > 3 or args[i]:find(path, 1, true), args[i])
        local document = assert(json.decode(ask(path).body))
        assert(document.n == i and document.serial == serial and document.labels["rack ~=/"] == "\"12\" ~=/")
        assert(document.t1 == "#" and document.t6 == "\\" and document.t14 == "é€")
    end
end

-- Nonsense in the path is answered, like any.
function tests.any_path_is_answered()
    math.randomseed(5)
    local pieces = { "~", "mac=", "52:54:00:00:00:01", "serial-hex=", "label.", "label-hex=", "61.62", "entry=", "1", "-1", "x",
                     "/", "=", ".", "fixed", "stage=", "dhcp", "\0", "\255", "{{", "ip=1.2.3.4" }
    for _ = 1, 2000 do
        local parts = {}
        for i = 1, math.random(0, 8) do
            parts[i] = pieces[math.random(#pieces)]
        end
        local reply = get("/config/" .. table.concat(parts))
        assert(reply.body or reply.error)
    end
end

return tests

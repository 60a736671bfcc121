-- Who asks for a loader's configuration, and what he is answered.

local asked = require "asked"
local policies = require "policies"
local routes = require "routes"

local tests = {}

local POLICY = policies.load [=[
profile "linux" { kernel = "vmlinuz", args = { "who={{mac or uuid or ip}}" } }
profile "tree" { dhcp = { file = "pxelinux.0" } }
profile "own" { kernel = "x", files = { ["pxelinux.cfg/default"] = "own.cfg", ["grub/grub.cfg"] = false } }
rule "by uuid" { match = { uuid = "00112233-4455-6677-8899-aabbccddeeff" }, boot = "linux" }
rule "by mac" { match = { mac = "52:54:00:00:00:01" }, boot = "linux", args = { "uuid={{uuid or 'none'}}" } }
rule "disk" { match = { mac = "52:54:00:00:00:02" }, boot = disk }
rule "denied" { match = { mac = "52:54:00:00:00:03" }, boot = deny "stolen" }
rule "broken" { match = { mac = "52:54:00:00:00:04" }, boot = function() error "oops" end }
rule "tree" { match = { mac = "52:54:00:00:00:05" }, boot = "tree" }
rule "own" { match = { mac = "52:54:00:00:00:06" }, boot = "own" }
rule "unwritable" { match = { mac = "52:54:00:00:00:07" }, boot = "linux", args = { "initrd=x", "a\\b" }, on_error = disk }
rule "by serial" { match = { serial = "S1" }, boot = "linux", args = { "arch={{arch}}", "at={{stage}}" } }
rule "relayed" { match = { relay = "10.9.0.1" }, boot = "linux" }
rule "rest" { boot = ignore }
]=]

local function handle(policy, request)
    request.base, request.server, request.client = "http://10.0.0.2:8080", "10.0.0.2", "10.0.0.77"
    return routes.handle(policy, request)
end

local function tftp(file, policy)
    return handle(policy or POLICY, { protocol = "tftp", file = file })
end

local function http(path, query, policy)
    return handle(policy or POLICY, { protocol = "http", method = "GET", path = path, query = query })
end

-- Is it a configuration that has this in it?
local function says(text, reply, info, rule)
    assert(reply.body and reply.body:find(text, 1, true), reply.body or reply.path or reply.error)
    assert(not rule or info.rule == rule, info and info.rule)
end

local function file_of(reply, path)
    assert(reply.path == path and reply.root == "tftp" and not reply.otherwise, reply.body or reply.path or reply.error)
end

function tests.names_tell_who_asks()
    assert(asked.swapped "33221100-5544-7766-8899-aabbccddeeff" == "00112233-4455-6677-8899-aabbccddeeff")
    assert(asked.read("pxelinux.cfg/01-52-54-00-AA-00-01").mac == "52:54:00:aa:00:01")
    assert(asked.read("a/b/pxelinux.cfg/0A00004D").ip == "10.0.0.77")
    assert(asked.read("pxelinux.cfg/default").general and not asked.read("pxelinux.cfg/0A000"))
    assert(asked.read("grub.cfg").general and asked.read("boot/grub/grub.cfg").general)
    assert(asked.read("grub/grub.cfg-01-52:54:00:00:00:01").mac == "52:54:00:00:00:01")
    assert(not asked.read("grub/x86_64-efi/grub.cfg") and not asked.read("pxelinux.cfg/x") and not asked.read("mygrub.cfg"))
    local name = asked.read("pxelinux.cfg/01-52-54-00-00-00-01?uuid=x&a=b")
    assert(name.query == "uuid=x&a=b" and name.path == "pxelinux.cfg/01-52-54-00-00-00-01")
end

function tests.pxelinux_by_uuid_in_either_order()
    for _, uuid in ipairs { "33221100-5544-7766-8899-aabbccddeeff", "00112233-4455-6677-8899-AABBCCDDEEFF" } do
        says("who=00112233-4455-6677-8899-aabbccddeeff", http("/pxelinux.cfg/" .. uuid), nil)
    end
    local reply, info = tftp("pxelinux.cfg/33221100-5544-7766-8899-aabbccddee00")
    file_of(reply, "pxelinux.cfg/33221100-5544-7766-8899-aabbccddee00")
    assert(info.verdict == "undetermined: needs mac")
end

function tests.pxelinux_by_mac()
    local reply, info = tftp("pxelinux.cfg/01-52-54-00-00-00-01")
    says("LINUX 10.0.0.2::assets/vmlinuz\n  APPEND who=52:54:00:00:00:01 uuid=none", reply, info, "by mac")
    assert(info.stage == "pxelinux" and info.machine == "52:54:00:00:00:01")
    reply, info = http("/pxelinux.cfg/01-52-54-00-00-00-01", "uuid=11112233-4455-6677-8899-aabbccddeeff")
    says("LINUX http://10.0.0.2:8080/assets/vmlinuz", reply, info, "by mac")
    says("uuid=11112233-4455-6677-8899-aabbccddeeff", reply)
    says("LOCALBOOT 0", tftp("pxelinux.cfg/01-52-54-00-00-00-02"))
    says("denied: stolen", tftp("pxelinux.cfg/01-52-54-00-00-00-03"))
end

-- In the directory of a machine every name is its own.
function tests.pxelinux_in_a_machines_directory()
    local directory = "52-54-00-00-00-01/pxelinux.cfg/"
    for _, name in ipairs { "44332211-5544-7766-8899-aabbccddeeff", "01-52-54-00-00-00-01", "0A00004D", "default" } do
        local reply, info = tftp(directory .. name)
        says("who=52:54:00:00:00:01", reply, info, "by mac")
    end
    says("uuid=11223344-5544-6677-8899-aabbccddeeff", tftp(directory .. "44332211-4455-7766-8899-aabbccddeeff"))
    file_of(tftp "52-54-00-00-00-01/pxelinux.cfg/0A00", "pxelinux.cfg/0A00")
    says("who=", tftp "52-54-00-00-00-aa/pxelinux.cfg/01-52-54-00-00-00-aa?arch=bios&relay=10.9.0.1")
end

function tests.pxelinux_finds_the_sites_files_for_the_others()
    for _, name in ipairs { "01-52-54-00-00-00-99", "0A00004D", "0A", "default", "01-52-54-00-00-00-05" } do
        file_of(tftp("pxelinux.cfg/" .. name), "pxelinux.cfg/" .. name)
        file_of(http("/pxelinux.cfg/" .. name), "pxelinux.cfg/" .. name)
    end
    file_of(tftp "52-54-00-00-00-06/pxelinux.cfg/default", "own.cfg")
end

-- What a failing rule would have hidden is not to be found by going on.
function tests.a_failure_is_a_decision()
    local reply, info = tftp("pxelinux.cfg/01-52-54-00-00-00-04")
    says("LOCALBOOT -1", reply, info, "broken")
    assert(info.error:find("oops", 1, true))
    says("LOCALBOOT -1", tftp "52-54-00-00-00-04/pxelinux.cfg/default")
    reply, info = tftp("pxelinux.cfg/01-52-54-00-00-00-07")
    says("LOCALBOOT 0", reply, info, "unwritable")
    assert(info.error:find("initrd=", 1, true))
    says("exit", tftp "grub/grub.cfg-01-52-54-00-00-00-04")
end

function tests.a_rule_for_all_needs_no_name()
    local all = policies.load [[
profile "linux" { kernel = "vmlinuz" }
rule "all" { boot = "linux" }
]]
    says("vmlinuz", (http("/pxelinux.cfg/default", nil, all)))
    says("vmlinuz", (http("/pxelinux.cfg/0A00004D", nil, all)))
    local by_ip = policies.load [[
profile "linux" { kernel = "vmlinuz" }
rule "net" { match = { ip = subnet "10.0.0.0/24" }, boot = "linux" }
]]
    says("vmlinuz", (http("/pxelinux.cfg/0A000009", nil, by_ip)))
    file_of((http("/pxelinux.cfg/0A010009", nil, by_ip)), "pxelinux.cfg/0A010009")
end

function tests.grub_is_asked_what_its_name_leaves_out()
    local reply, info = tftp("/grub/grub.cfg")
    assert(reply.path == "grub/grub.cfg" and reply.otherwise.body:find("(tftp,10.0.0.2)/grub?$what", 1, true))
    assert(info == nil)
    reply = tftp("/grub/grub.cfg-01-52:54:00:00:00:99")
    assert(reply.otherwise.body:find("source", 1, true))
    file_of(tftp "/grub/grub.cfg-0A00", "grub/grub.cfg-0A00")
    says("source \"(http,10.0.0.2:8080)/grub?$what\"", http "/grub")
    reply, info = tftp("/grub/grub.cfg-01-52:54:00:00:00:01")
    says("'who=52:54:00:00:00:01'", reply, info, nil) -- what does not ask for more
    assert(info.rule == "by mac" or reply.otherwise)
end

function tests.grub_tells_the_rest()
    local reply, info = tftp("/grub?platform=efi&buildarch=x86_64&mac=52:54:00:00:00:99&serial=S1&product=A & B")
    says("'who=52:54:00:00:00:99' 'arch=efi-x64' 'at=grub'", reply, info, "by serial")
    assert(info.stage == "grub")
    reply, info = http("/grub", "platform=pc&buildarch=i386&mac=52:54:00:00:00:98&serial=S1")
    says("'arch=bios'", reply, info, "by serial")
    reply, info = tftp("/grub?mac=52:54:00:00:00:97")
    says("nothing to boot", reply, info, "rest")
    reply, info = tftp("/grub?mac=nonsense")
    says("exit", reply)
    assert(info.verdict == "refused")
    reply, info = http("/grub", "mac=52:54:00:00:00:07")
    says("chainloader", reply, info, "unwritable")
    assert(info.error:find("backslash", 1, true))
    local denied = tftp("52-54-00-00-00-06/grub/grub.cfg")
    assert(denied.reason == "denied")
end

function tests.assets_for_loaders_without_http()
    local reply = tftp("/assets/el9/vmlinuz")
    assert(reply.path == "el9/vmlinuz" and reply.root == "assets")
    assert(tftp("52-54-00-00-00-01/assets/x").root == "assets")
    reply = http("/ldlinux.c32")
    assert(reply.path == "ldlinux.c32" and reply.root == "tftp")
    assert(http("/other.txt").reason == "not-found")
end

-- What follows the name in option 67 is no part of it.
function tests.shim_asks_for_what_it_finds_behind_its_name()
    assert(tftp("52-54-00-00-00-99/grubx64.efi\255\7").path == "grubx64.efi")
    assert(tftp("grubx64.efi").path == "grubx64.efi")
end

function tests.pixiecore()
    local reply, info = http("/v1/boot/52:54:00:00:00:01")
    local json = host.json.decode(reply.body)
    assert(json.kernel == "http://10.0.0.2:8080/assets/vmlinuz" and json.initrd == nil)
    assert(json.cmdline == "who=52:54:00:00:00:01 uuid=none" and reply.type == "application/json")
    assert(info.stage == "pixiecore" and info.rule == "by mac")
    for _, mac in ipairs { "52-54-00-00-00-02", "525400000003", "52:54:00:00:00:04", "52:54:00:00:00:99" } do
        assert(http("/v1/boot/" .. mac).reason == "not-found", mac)
    end
    assert(http("/v1/boot/x").status == 400)
    local policy = policies.load [==[
rule "templates" { match = { mac = "52:54:00:00:00:01" },
  boot = { kernel = "k", initrd = { "a", "http://o/b" }, args = { "x={{'{' .. '{'}} ID }}", "y=a b" } } }
rule "chain" { boot = chain "http://o/x.ipxe" }
]==]
    json = host.json.decode(http("/v1/boot/52:54:00:00:00:01", nil, policy).body)
    assert(json.cmdline == [[x="{{"{{"}} ID }}" y="a b"]], json.cmdline)
    assert(json.initrd[1] == "http://10.0.0.2:8080/assets/a" and json.initrd[2] == "http://o/b")
    json = host.json.decode(http("/v1/boot/52:54:00:00:00:02", nil, policy).body)
    assert(json["ipxe-script"] == "#!ipxe\nchain --replace --autofree http://o/x.ipxe\n")
end

function tests.any_bytes_are_answered()
    math.randomseed(11)
    local pieces = { "pxelinux.cfg/", "grub/", "grub.cfg", "grub?", "-", "01-52-54-00-00-00-0", "0A", "default", "?", "&", "=",
                     "uuid", "mac=", "%", "%zz", "\0", "\n", "..", "/", "33221100-5544-7766-8899-aabbccddeeff",
                     "52-54-00-00-00-01/", "v1/boot/", "assets/", "\255", ".efi" }
    for _ = 1, 5000 do
        local text = {}
        for i = 1, math.random(0, 7) do
            text[i] = pieces[math.random(#pieces)]
        end
        local name = table.concat(text)
        local reply = tftp(name)
        assert(reply.body or reply.path or reply.error, name)
        reply = http("/" .. name, name)
        assert(reply.body or reply.path or reply.error, name)
    end
end

return tests

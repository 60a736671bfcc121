local carry = require "carry"
local engine = require "engine"
local routes = require "routes"

local tests = {}

local BASE = "http://10.0.0.2:8080"

local function ask(policy, request)
    request.base, request.server = BASE, "10.0.0.2"
    local reply, info = routes.handle(policy, request)
    return reply, info
end

local function load(text)
    local policy, problems = engine.load { text = text, display = "policy.lua" }
    assert(policy, problems and table.concat(problems, "\n"))
    return policy
end

local function offered(policy, fields)
    local request = { protocol = "dhcp", message = "discover", port = 67, mac = "52:54:00:00:00:01", arch_id = 7,
                      vendor_class = "PXEClient:Arch:00007", user_class = "iPXE", is_ipxe = true }
    for key, value in pairs(fields) do
        request[key] = value
    end
    local reply = ask(policy, request)
    return reply.dhcp.file
end

-- What the machine asks /ipxe after it was offered that URL.
local function asked(policy, file, more)
    local query = file:match("%?(.*)$")
    local script = ask(policy, { protocol = "http", path = "/boot.ipxe", query = query }).body
    local what = script:match("set what buildarch=${buildarch}(%S*)")
    local _, info = ask(policy, { protocol = "http", path = "/ipxe", client = "10.1.0.9",
                                  query = "buildarch=x86_64&platform=efi" .. what .. (more or "") })
    return info
end

function tests.a_url_is_bare_when_the_policy_needs_nothing()
    local policy = load [[profile "p" { kernel = "k" } rule "all" { boot = "p" }]]
    assert(offered(policy, { relay = "10.1.0.1", circuit_id = "\0\4" }) == BASE .. "/boot.ipxe")
end

function tests.what_dhcp_told_reaches_the_last_decision()
    local policy = load [[
profile "p" { kernel = "k", args = { "port={{circuit_id}}" } }
rule "behind the relay" { match = { relay = "10.1.0.1" }, boot = "p" }
rule "all" { boot = ignore }]]
    local file = offered(policy, { relay = "10.1.0.1", circuit_id = "ge-0/0/1" })
    assert(file == BASE .. "/boot.ipxe?relay=10.1.0.1&circuit_id-hex=67652d302f302f31", file)
    local info = asked(policy, file)
    assert(info.rule == "behind the relay" and info.verdict == "boot p", info.verdict)
end

function tests.bytes_of_any_value_survive()
    local all = {}
    for i = 0, 255 do
        all[#all + 1] = string.char(i)
    end
    for _, value in ipairs { table.concat(all), "plain", "a%20b", "a&b=c", "\0", "..", "x y" } do
        local fields = {}
        for name, text in carry.query({ "remote_id" }, { remote_id = value }):gmatch("([^=&]+)=([^&]*)") do
            fields[name] = text
        end
        assert(carry.read(fields).remote_id == value)
    end
end

function tests.what_is_not_carried_is_not_read()
    local found = carry.read { relay = "10.1.0.1", ["circuit_id-hex"] = "0x", ["relay2"] = "x", ["mac-hex"] = "00" }
    assert(found.relay == "10.1.0.1" and found.circuit_id == nil and found["relay2"] == nil and found.mac == nil)
    assert(carry.read { ["circuit_id-hex"] = "012" }.circuit_id == nil)
end

function tests.names_are_found_wherever_they_stand()
    assert(table.concat(carry.used "match = { relay = x }, f(machine.vendor_class), {{remote_id}}", " ")
        == "relay remote_id vendor_class")
    assert(#carry.used "relays = my_relay" == 0)
end

return tests

-- Whatever notation a machine's fields come in, by whatever way: policies see one.

local cli = require "fake_cli"
local policies = require "policies"
local routes = require "routes"

local tests = {}

local UUID = "4c4c4544-0052-3510-8051-b4c04f4e3732"
local MAC = "52:54:00:0b:cd:ef"

local macs = { MAC, "52-54-00-0B-CD-EF", "5254.000b.cdef", "5254000BCDEF", "52:54:0:b:cd:EF" }
local uuids = { UUID, UUID:upper(), "{4C4C4544-0052-3510-8051-B4C04F4E3732}", "4C4C454400523510" .. "8051B4C04F4E3732" }
local none = { "00000000-0000-0000-0000-000000000000", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF", ("0"):rep(32), " " }

local POLICY = [[
rule "known" { match = { mac = "%s", uuid = "%s" }, boot = deny "{{mac}} {{uuid}}" }
rule "no uuid" { match = { mac = "%s", uuid = absent }, boot = deny "{{mac}} none" }
]]

local function policy(mac, uuid)
    return (POLICY:format(mac, uuid, mac))
end

local function ways(text, mac, uuid)
    local loaded = policies.load(text)
    local given = policies.decide(loaded, { mac = mac, uuid = uuid })
    local reply = routes.handle(loaded, {
        protocol = "http", method = "GET", path = "/ipxe", base = "http://h", client = "10.0.0.9",
        query = "mac=" .. mac .. "&uuid=" .. uuid:gsub("[{}]", { ["{"] = "%7B", ["}"] = "%7D" }):gsub(" ", "%%20"),
    })
    local _, eval = cli.run("eval", { "p.lua", "--mac", mac, "--uuid", uuid }, { ["p.lua"] = text })
    return given.why or "", reply.body, eval
end

function tests.in_rules_and_machines()
    for i, mac in ipairs(macs) do
        for j, uuid in ipairs(uuids) do
            local other = policy(macs[#macs + 1 - i], uuids[#uuids + 1 - j])
            local given, reply, eval = ways(other, mac, uuid)
            local wanted = MAC .. " " .. UUID
            assert(given == wanted and reply:find(wanted, 1, true) and eval:find(wanted, 1, true), mac .. " " .. uuid)
        end
    end
end

function tests.uuids_that_stand_for_none()
    for _, uuid in ipairs(none) do
        local given, reply, eval = ways(policy(MAC, UUID), MAC, uuid)
        local wanted = MAC .. " none"
        assert(given == wanted and reply:find(wanted, 1, true) and eval:find(wanted, 1, true), uuid)
    end
end

function tests.what_cannot_be_read_is_refused()
    for _, case in ipairs {
        { mac = "52:54:00:0b:cd" }, { mac = "52:54:00-0b-cd-ef" }, { uuid = "4c4c4544" }, { ip = "10.0.0.256" },
        { ip = "10.0.0" }, { vlan = "x" }, { arch = "efi-x65" },
    } do
        local field, value = next(case)
        local m, problem = require("machine").new(case, "ipxe")
        assert(m == nil and problem:find("^" .. field .. ": found "), value)
        local code, _, err = cli.run("eval", { "p.lua", "--" .. field, value }, { ["p.lua"] = "" })
        assert(code == 2 and err:find(problem, 1, true), err)
    end
end

return tests

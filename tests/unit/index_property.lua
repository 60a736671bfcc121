-- Random rule sets and machines: the rules that the index finds must come to the decision
-- that trying all rules comes to. Runs in the real engine (test_index.c): rounds, seed -> how
-- many decisions were compared, by verdict.

local engine = require "engine"
local index = require "index"
local machine = require "machine"

-- A pool of rules that a policy makes with all that can stand in `match`. Few values, so that
-- rules and machines meet.
local POLICY = [[
local random = math.random
local function one(list) return list[random(#list)] end

local macs = { "52:54:00:00:00:01", "52-54-00-00-00-02", "525400000101", "3c:ec:ef:00:00:01" }
local uuids = { "4c4c4544-0052-3510-8051-b4c04f4e3732", "4C4C4544-0053-3510-8051-B4C04F4E3732",
                "11111111-2222-3333-4444-555555555555" }
local serials = { "A1", "A2", "B1", "B22", "C" }
local hosts = { "node1", "node2", "login1", "db" }
local ips = { "10.0.0.1", "10.0.1.1", "10.1.0.1", "192.168.0.1" }
local nets = { "10.0.0.0/8", "10.0.0.0/16", "10.0.0.0/24", "10.0.0.1", "0.0.0.0/0", "192.168.0.0/30" }
local arches = { "bios", "efi-x64", "efi-arm64", "efi-x64-http" }

local function text_matcher(values)
  return function()
    local n, text = random(12), one(values)
    if n <= 3 then return text
    elseif n == 4 then return prefix(text:sub(1, random(#text)))
    elseif n == 5 then return glob(one { "*", text:sub(1, 2) .. "*", "?" .. text:sub(2), "[!A]*", text })
    elseif n == 6 then return { one(values), one(values), prefix(text:sub(1, 1)) }
    elseif n == 7 then return except(text)
    elseif n == 8 then return { text, function(value) return #value == 2 end }
    elseif n == 9 then return { { text, suffix(text:sub(-1)) }, pattern "^%u1$" }
    elseif n == 10 then return one { present, absent, except(absent) }
    elseif n == 11 then return { one(values), absent }
    else return { except { text, one(values) }, one(values) } end
  end
end

local fields = {
  mac = function()
    return one { one(macs), { one(macs), one(macs) }, prefix "52:54:00", prefix "5", prefix "5254-0000-01",
                 except(one(macs)), glob "52-54-*", {}, suffix "01", absent,
                 range("52:54:00:00:00:01", "525400000100"), range("3c0000000000", "525400000001") }
  end,
  uuid = function() return one { one(uuids), prefix "4C4C4544-005", prefix "1", except(one(uuids)) } end,
  serial = text_matcher(serials), hostname = text_matcher(hosts), circuit_id = text_matcher(serials),
  arch = function() return one { one(arches), { one(arches), one(arches) }, except(one(arches)), prefix "efi" } end,
  ip = function() return one { one(ips), subnet(one(nets)), { subnet(one(nets)), one(ips) }, except(subnet(one(nets))),
                             range("10.0.0.1", "10.0.1.0"), range("10.0.0.1", "192.168.0.1"), present } end,
  relay = function() return one { one(ips), subnet(one(nets)), prefix "10.0" } end,
  vlan = function() return one { random(3), { 1, "2" }, prefix "1", except(2), range(2, 3), absent } end,
  features = function() return one { "http", { "https", "bzimage" }, except "http", prefix "http" } end,
  firmware = function() return one { "pxe", "ipxe", except "pxe" } end,
  stage = function() return one { "dhcp", "tftp", "ipxe", { "dhcp", "ipxe" } } end,
  ["label.rack"] = text_matcher { "1", "12", "b7" },
  ["label.row"] = text_matcher { "x", "y" },
}
local names = {}
for name in pairs(fields) do names[#names + 1] = name end
table.sort(names)

local functions = {
  function(m) return m.mac ~= nil and m.mac:sub(-1) == "1" end,
  function(m) return m.serial == "A1" end,
  function(m) return nil, "no" end,
  function() return true end,
}
local boots = {
  function() return nil end,
  function(m) return m.hostname == "node1" and "p" or nil end,
  function() return nil, "why" end,
  "p", disk, ignore, deny "why",
}

profile "p" { kernel = "k" }
for i = 1, SIZE do
  local match = {}
  for _ = 1, random(0, 3) do
    local name = one(names)
    match[name] = fields[name]()
  end
  if random(20) == 1 then match = one(functions) end
  rule("r" .. i) { match = match, boot = one(boots) }
end
]]

local function one(list)
    return list[math.random(#list)]
end

local values = {
    mac = { "52:54:00:00:00:01", "52:54:00:00:00:02", "52:54:00:00:01:01", "3c:ec:ef:00:00:01", "00:00:00:00:00:09" },
    uuid = { "4c4c4544-0052-3510-8051-b4c04f4e3732", "4c4c4544-0053-3510-8051-b4c04f4e3732",
             "11111111-2222-3333-4444-555555555555", "99999999-2222-3333-4444-555555555555" },
    serial = { "A1", "A2", "B1", "B22", "C", "ZZ" }, circuit_id = { "A1", "B22", "x" },
    hostname = { "node1", "node2", "login1", "db", "other" },
    arch = { "bios", "efi-x64", "efi-arm64", "efi-x64-http", "efi-ia32" },
    ip = { "10.0.0.1", "10.0.1.1", "10.1.0.1", "192.168.0.1", "172.16.0.1" },
    relay = { "10.0.0.1", "10.0.1.1", "192.168.0.1" },
    vlan = { 1, 2, 3, 12, "0" },
    features = { "http", "https bzimage", "http bzimage https", "ftp" },
    firmware = { "pxe", "ipxe", "http" },
    ["label.rack"] = { "1", "12", "b7", "" }, ["label.row"] = { "x", "y", "z" },
}
local names = {}
for name in pairs(values) do
    names[#names + 1] = name
end
table.sort(names)

local function random_machine()
    local fields, stage = {}, one { "dhcp", "tftp", "ipxe", "http" }
    for _, name in ipairs(names) do
        local late = machine.field(name).late[stage]
        local chance = math.random(10)
        if chance <= (late and 2 or 7) then
            fields[name] = one(values[name])
        elseif chance == 10 then
            fields[name] = false
        end
    end
    return assert(machine.new(fields, stage))
end

local function describe(m, rules)
    local lines = {}
    for name, value in pairs(m) do
        lines[#lines + 1] = name .. " = " .. tostring(value)
    end
    for _, rule in ipairs(rules) do
        local texts = { rule.name }
        for _, p in ipairs(rule.predicates) do
            texts[#texts + 1] = p.name .. ": " .. p.matcher.describe
        end
        lines[#lines + 1] = table.concat(texts, "; ")
    end
    return table.concat(lines, "\n")
end

local function same(a, b)
    return a.rule == b.rule and a.verdict == b.verdict and a.needs == b.needs and a.error == b.error
end

-- A rule set of the pool's rules, as much of a policy as decisions need.
local function rule_set(pool, size)
    local rules = {}
    for i = 1, size do
        rules[i] = one(pool.rules)
    end
    return setmetatable({ rules = rules, index = index.new(rules) }, { __index = pool })
end

local function compare(policy, m, verdicts)
    local found, wanted = engine.decide(policy, m), engine.decide(policy, m, {})
    if not same(found, wanted) then
        error(("the index finds %s (%s), the scan %s (%s)\n%s"):format(
            found.rule and found.rule.name, found.verdict, wanted.rule and wanted.rule.name, wanted.verdict,
            describe(m, policy.rules)), 0)
    end
    verdicts[found.verdict] = (verdicts[found.verdict] or 0) + 1
end

return function(rounds, seed)
    math.randomseed(seed)
    local pool, problems = engine.load {
        text = POLICY:gsub("SIZE", tostring(math.min(rounds, 20000))), display = "property.lua",
    }
    assert(pool, problems and table.concat(problems, "\n"))
    local verdicts = {}
    for round = 1, rounds do
        local policy = rule_set(pool, math.random(0, 12))
        compare(policy, random_machine(), verdicts)
        if round % 1000 == 0 then
            policy = rule_set(pool, 2000)
            for _ = 1, 20 do
                compare(policy, random_machine(), verdicts)
            end
        end
    end
    return verdicts
end

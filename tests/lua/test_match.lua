local glob = require "glob"
local pattern = require "pattern"
local policies = require "policies"

local tests = {}

local matches = policies.matches

local function yes(match, fields)
    assert(matches(match, fields), match)
end

local function no(match, fields)
    assert(not matches(match, fields), match)
end

local dell = {
    mac = "52:54:00:ab:cd:ef", uuid = "4C4C4544-0052-3510-8051-B4C04F4E3732", arch = "efi-x64",
    serial = "R5QNN72", ip = "10.1.2.3", vlan = 12, features = { "http", "bzimage" },
    hostname = "Node7", label = { rack = "12" },
}

function tests.plain_values_after_normalisation()
    yes('{ mac = "5254.00AB.CDEF" }', dell)
    yes('{ uuid = "4c4c4544005235108051b4c04f4e3732" }', dell)
    yes('{ hostname = "NODE7", vlan = "12" }', dell)
    yes('{ vlan = 12, features = "HTTP" }', dell)
    no('{ serial = "r5qnn72" }', dell)
    no('{ asset = "x" }', dell)
    no('{ vlan = 13 }', dell)
end

function tests.keys_are_anded_and_lists_ored()
    yes('{ mac = "525400abcdef", serial = { "x", "R5QNN72" } }', dell)
    no('{ mac = "525400abcdef", serial = { "x", "y" } }', dell)
    yes('{ serial = { "x", prefix "R5", glob "*0" } }', dell)
    no('{ serial = {} }', dell)
    yes('{}', dell)
end

function tests.architecture_means_http_too()
    yes('{ arch = "efi-x64" }', { arch = 16 })
    yes('{ arch = 7 }', { arch = 16 })
    no('{ arch = "efi-x64-http" }', { arch = 7 })
    yes('{ arch = { "efi-arm64", "efi-x64" } }', { arch = "efi-x64-http" })
    no('{ arch = except "efi-x64" }', { arch = "efi-x64-http" })
    yes('{ arch = "arch-99" }', { arch = 99 })
end

function tests.prefixes()
    yes('{ mac = prefix "52-54-00" }', dell)
    yes('{ mac = prefix "525400AB" }', dell)
    yes('{ mac = prefix "52:5" }', dell)
    yes('{ mac = prefix "5254.00" }', dell)
    no('{ mac = prefix "52:55" }', dell)
    yes('{ uuid = prefix "4C4C4544-0052" }', dell)
    yes('{ uuid = prefix "4c4c45440052" }', dell)
    yes('{ hostname = prefix "NODE" }', dell)
    no('{ serial = prefix "r5" }', dell)
    yes('{ vlan = prefix "1" }', dell)
    yes('{ features = prefix "bz" }', dell)
end

function tests.globs_and_subnets()
    yes('{ mac = glob "52-54-00-*-[c-d]D-ef" }', dell)
    yes('{ serial = glob "R?QNN[0-9]*" }', dell)
    no('{ serial = glob "R?QNN" }', dell)
    yes('{ ip = subnet "10.0.0.0/8" }', dell)
    no('{ ip = subnet "10.1.3.0/24" }', dell)
    yes('{ ip = subnet "0.0.0.0/0" }', dell)
    yes('{ ip = { subnet "192.0.2.0/24", subnet "10.1.2.3" } }', dell)
    yes('{ relay = subnet "192.168.0.0/16" }', { relay = "192.168.200.1" })
    yes('{ relay = subnet "255.0.0.0/8" }', { relay = "255.255.255.255" })
end

function tests.except()
    no('{ serial = except "R5QNN72" }', dell)
    yes('{ serial = except { "a", prefix "b" } }', dell)
    yes('{ asset = except "x" }', dell) -- what is absent is not "x"
    no('{ features = except "http" }', dell)
    yes('{ features = except "pxe" }', dell)
    yes('{ mac = except(except(prefix "52:54:00")) }', dell)
    no('{ asset = except(except "x") }', dell)
end

function tests.suffixes()
    yes('{ mac = suffix "CD-EF" }', dell)
    yes('{ mac = suffix "b:cd:ef" }', dell)
    no('{ mac = suffix "cd:ee" }', dell)
    yes('{ uuid = suffix "0-8051-B4C04F4E3732" }', dell)
    yes('{ hostname = suffix "DE7", serial = suffix "72", vlan = suffix "2" }', dell)
    no('{ serial = suffix "XR5QNN72" }', dell)
    yes('{ features = suffix "image" }', dell)
end

function tests.patterns()
    yes('{ serial = pattern "^R%d%u+%d%d$" }', dell)
    no('{ serial = pattern "^%d" }', dell)
    yes('{ hostname = pattern "^N%Sde%d$" }', dell)
    yes('{ mac = pattern "[A-F]B:%x%x:EF$", vlan = pattern "^1%d$" }', dell)
    no('{ hostname = pattern "%s" }', dell)
    yes('{ serial = pattern "(.)%1" }', dell)
end

function tests.ranges()
    yes('{ vlan = range(12, 12) }', dell)
    no('{ vlan = range(13, 20) }', dell)
    yes('{ vlan = range("1", "12") }', dell)
    yes('{ ip = range("10.1.2.3", "10.1.2.3") }', dell)
    yes('{ ip = range("9.255.255.255", "10.1.10.1") }', dell)
    no('{ ip = range("10.1.2.4", "10.1.10.1") }', dell)
    yes('{ ip = range("0.0.0.0", "255.255.255.255") }', dell)
    yes('{ mac = range("525400AB0000", "52-54-00-ab-ff-ff") }', dell)
    no('{ mac = range("525400AB0000", "52-54-00-ab-cd-ee") }', dell)
    yes('{ ["label.rack"] = range(9, 100) }', dell)
    no('{ serial = range(1, 9) }', dell)
    no('{ asset = range(1, 9) }', dell)
end

function tests.presence()
    yes('{ serial = present, asset = absent, ["label.row"] = absent }', dell)
    no('{ serial = absent }', dell)
    no('{ asset = present }', dell)
    yes('{ asset = except(present), serial = except(absent) }', dell)
    yes('{ asset = { "x", absent }, serial = { "R5QNN72", absent } }', dell)
    no('{ serial = { "x", absent } }', dell)
    yes('{ features = present }', dell)
    local matched, d = matches('{ mac = present, serial = present }', { mac = "525400000001" }, "dhcp")
    assert(not matched and d.verdict == "undetermined" and d.needs == "serial")
    matched, d = matches('{ asset = absent }', {}, "dhcp")
    assert(not matched and d.needs == "asset")
end

function tests.lists_in_lists()
    yes('{ serial = { "x", { "y", { prefix "R5" } } } }', dell)
    no('{ serial = { "x", { "y", {} } } }', dell)
    no('{ serial = except { { "R5QNN72" } } }', dell)
    yes('{ serial = { except { prefix "R", suffix "x" }, range(1, 2), "R5QNN72" } }', dell)
end

function tests.what_is_no_pattern()
    for _, text in ipairs {
        "%", "a%", "[", "[a", "[]", "[^]", "[%", "[%]", "(", "a(b", ")", "(a))", "%b", "%bx", "%f", "%fa", "%1", "(%1)",
        "%0", ("(a)"):rep(33), "[^", "%f[",
    } do
        assert(pattern.problem(text), text)
    end
    for _, text in ipairs {
        "", "^", "^$", "%%", "[]]", "[^]]", "[%]]", "[%a-]", "()", "(a(b))%1", "(a)%1", "%b()", "%f[%w]x", "*", "a-", "[[]",
        ("(a)"):rep(32), "()%1", "\0", "%z",
    } do
        assert(not pattern.problem(text), text)
    end
    -- Where Lua itself finds a fault, so do we; and what we accept never fails.
    math.randomseed(3)
    local pieces = { "%", "[", "]", "^", "(", ")", "a", "%b", "%f", "%1", "%a", "-", "*", "$", "%%", ".", "x" }
    for _ = 1, 20000 do
        local text = {}
        for i = 1, math.random(6) do
            text[i] = pieces[math.random(#pieces)]
        end
        text = table.concat(text)
        for _, subject in ipairs { "", "a", "xa", "a(x)a", "]" } do
            local ok, message = pcall(string.find, subject, text)
            assert(ok or pattern.problem(text), text .. ": " .. tostring(message))
        end
    end
end

function tests.functions()
    yes('{ serial = function(s) return s:find "^R5" end }', dell)
    no('{ asset = function() error "not asked" end }', dell)
    yes('{ serial = { "x", function(s, machine) return machine.vlan == 12 end } }', dell)
    yes('{ serial = except(function(s) return s == "x" end) }', dell)
    yes('function(machine) return machine.vlan == 12 end', dell)
    no('function(machine) return nil end', dell)
    local _, decision = matches('function(machine) return nil, "no idea" end', dell)
    assert(decision.verdict == "ignore" and decision.error == "policy.lua:1: no idea")
end

function tests.labels()
    yes('{ ["label.rack"] = "12" }', dell)
    yes('{ label = { rack = prefix "1" } }', dell)
    no('{ label = { rack = "12", row = "b" } }', dell)
end

function tests.glob_patterns()
    local function fits(wanted, text)
        return assert(glob.compile(wanted))(text)
    end
    assert(fits("", "") and not fits("", "a") and fits("*", "") and fits("**a**", "bab"))
    assert(fits("a*b*c", "aXbYbZc") and not fits("a*b*c", "aXbYbZ"))
    assert(fits("[]a]", "]") and fits("[!a]", "b") and not fits("[^a]", "a") and fits("[a-]", "-"))
    assert(fits("%d+.", "%d+.") and not fits("?", ""))
    assert(not glob.compile "[a" and not glob.compile "x[")
    local start = os.clock()
    assert(not fits(("*a"):rep(50), ("a"):rep(20000) .. "b"))
    assert(os.clock() - start < 2)
end

-- The same language, read by a slow and simple reader, must agree on random rules.
local values = {
    mac = { "52:54:00:00:00:01", "52:54:00:00:00:02", "00:11:22:33:44:55" },
    serial = { "A1", "A2", "B1" },
    ip = { "10.0.0.1", "10.0.1.1", "192.0.2.1" },
    arch = { "bios", "efi-x64", "efi-x64-http", "efi-arm64" },
    hostname = { "a", "b" },
}

local function pick(list)
    return list[math.random(#list)]
end

-- A random matcher: its text, and function (value or nil) -> boolean.
local function random_matcher(field, depth)
    local kind = math.random(depth > 0 and 6 or 4)
    local value = pick(values[field])
    if kind == 1 or kind == 2 then
        return string.format("%q", value), function(found)
            return found == value or field == "arch" and found == value .. "-http"
        end
    elseif kind == 3 then
        local text = value:sub(1, math.random(1, #value))
        return string.format("prefix %q", text), function(found)
            return found ~= nil and found:sub(1, #text) == text
        end
    elseif kind == 4 then
        local last = value:sub(-1)
        return string.format("glob %q", "*" .. last), function(found)
            return found ~= nil and found:sub(-1) == last
        end
    end
    local texts, tests_of = {}, {}
    for i = 1, math.random(1, 3) do
        texts[i], tests_of[i] = random_matcher(field, depth - 1)
        if texts[i]:sub(1, 1) == "{" then
            texts[i] = "except(" .. texts[i] .. ")"
            local inner = tests_of[i]
            tests_of[i] = function(found)
                return not inner(found)
            end
        end
    end
    local function any(found)
        for _, test in ipairs(tests_of) do
            if test(found) then
                return true
            end
        end
        return false
    end
    local text = "{ " .. table.concat(texts, ", ") .. " }"
    if kind == 6 then
        return "except(" .. text .. ")", function(found)
            return not any(found)
        end
    end
    return text, any
end

local function random_rule(index)
    local keys, wanted = {}, {}
    for field in pairs(values) do
        if math.random() < 0.4 then
            local text
            text, wanted[field] = random_matcher(field, 2)
            table.insert(keys, field .. " = " .. text)
        end
    end
    return string.format('rule "%d" { match = { %s }, boot = disk }', index, table.concat(keys, ", ")),
           wanted
end

function tests.random_rules_against_a_simple_reading()
    math.randomseed(11)
    for _ = 1, 60 do
        local texts, rules = {}, {}
        for i = 1, 12 do
            texts[i], rules[i] = random_rule(i)
        end
        local text = table.concat(texts, "\n")
        local policy = policies.load(text)
        for _ = 1, 40 do
            local fields = {}
            for field, list in pairs(values) do
                fields[field] = math.random() < 0.7 and pick(list) or nil
            end
            local first
            for i, wanted in ipairs(rules) do
                local all = true
                for field, test in pairs(wanted) do
                    all = all and test(fields[field])
                end
                if all then
                    first = tostring(i)
                    break
                end
            end
            local decision = policies.decide(policy, fields)
            local found = decision.rule and decision.rule.name
            assert(found == first, string.format("expected %s, found %s in\n%s", first, found, text))
        end
    end
end

return tests

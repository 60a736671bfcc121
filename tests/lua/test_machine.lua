local machine = require "machine"
local policies = require "policies"

local tests = {}

local new = policies.machine

local function problem(fields)
    local m, text = machine.new(fields)
    assert(m == nil)
    return text
end

function tests.notations()
    for _, mac in ipairs { "52:54:00:AB:CD:EF", "52-54-00-ab-cd-ef", "5254.00ab.cdef", "525400ABCDEF" } do
        assert(new { mac = mac }.mac == "52:54:00:ab:cd:ef")
    end
    for _, uuid in ipairs { "4C4C4544-0052-3510-8051-B4C04F4E3732",
                            "{4c4c4544-0052-3510-8051-b4c04f4e3732}",
                            "4c4c4544005235108051b4c04f4e3732" } do
        assert(new { uuid = uuid }.uuid == "4c4c4544-0052-3510-8051-b4c04f4e3732")
    end
    assert(new { serial = "R5 X \t\0\0" }.serial == "R5 X")
    assert(new { serial = " \0" }.serial == nil and new { serial = "" }.serial == nil)
    assert(new { serial = 12 }.serial == "12")
    assert(new { hostname = "Node1", platform = "EFI" }.hostname == "node1")
    assert(new { vlan = "12" }.vlan == 12)
    assert(new { ip = "10.0.0.1" }.ip == "10.0.0.1" and new { ip = "0.0.0.0" }.ip == nil)
end

function tests.no_identity()
    assert(new { uuid = "00000000-0000-0000-0000-000000000000" }.uuid == nil)
    assert(new { uuid = "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF" }.uuid == nil)
    assert(new { uuid = ("0"):rep(32) }.uuid == nil)
end

function tests.architectures()
    assert(new { arch = 7 }.arch == "efi-x64" and new { arch = 9 }.arch == "efi-x64")
    assert(new { arch = "EFI-ARM64" }.arch == "efi-arm64" and new { arch = "0" }.arch == "bios")
    assert(new { arch = 777 }.arch == "arch-777" and new { arch = "arch-777" }.arch == "arch-777")
    assert(new { arch = "arch-7" }.arch == "efi-x64")
    assert(machine.arch_name(16) == "efi-x64-http" and machine.arch_name(99) == "arch-99")
    assert(machine.arch_name(22) == "uboot-arm64" and machine.arch_name(27) == "efi-riscv64")
    for id = 0, 41 do
        local name = machine.arch_name(id)
        assert(new { arch = name }.arch == name and not name:find("^arch%-"))
    end
    assert(problem { arch = "efi-x65" }:find('did you mean "efi%-x64"'))
    assert(problem { arch = 65536 } and problem { arch = -1 } and problem { arch = 1.5 })
end

function tests.features_and_labels()
    local m = new { features = "HTTP, bzimage", label = { rack = "12 " }, ["label.row"] = "b" }
    assert(m.features.http and m.features.bzimage and not m.features.pxe)
    assert(m.label.rack == "12" and m["label.rack"] == "12" and m.label.row == "b")
    assert(new { features = { "a", "B" } }.features.b)
    assert(new { features = { pxe = true, http = false } }.features.http == nil)
    assert(new { features = {} }.features == nil)
end

function tests.what_is_wrong()
    assert(problem { mac = "zz" } == 'mac: found "zz", expected a MAC address, such as 52:54:00:12:34:56')
    assert(problem { mac = "52:54:00:12:34:56\0x" })
    assert(problem { mac = {} }:find("found a table", 1, true))
    assert(problem { uuid = "4c4c" } and problem { ip = "10.0.0" } and problem { vlan = "x" })
    assert(problem { serail = "x" } == 'a machine has no field "serail" (did you mean "serial"?)')
    assert(problem { label = "x" } and problem { features = 12 } and problem { label = { a = {} } })
end

-- Padding of hostile length costs no more than its length.
function tests.long_padding()
    local start = os.clock()
    assert(#new { serial = "x" .. (" "):rep(100000) .. "y" .. (" "):rep(100000) }.serial == 100002)
    assert(new { serial = (" "):rep(100000) }.serial == nil)
    assert(os.clock() - start < 1)
end

function tests.views_are_strict_and_read_only()
    local view = machine.view(new { mac = "525400123456", features = { "http" }, label = { a = "1" } })
    assert(view.mac == "52:54:00:12:34:56" and view.serial == nil)
    assert(view.features.http and view.label.a == "1" and view.label.b == nil)
    assert(view["label.a"] == "1" and view["label.b"] == nil)
    assert(not pcall(function() return view["label."] end))
    local ok, message = pcall(function()
        return view.serail
    end)
    assert(not ok and message:find('no field "serail" (did you mean "serial"?)', 1, true))
    assert(message:find("^tests/lua/test_machine.lua:%d+: "))
    for _, write in ipairs {
        function() view.mac = "x" end,
        function() view.label.a = "x" end,
        function() setmetatable(view, {}) end,
        function() setmetatable(view.label, {}) end,
    } do
        assert(not pcall(write))
    end
    view.features.http = nil
    assert(view.features.http, "a copy was given")
    assert(tostring(view) == "52:54:00:12:34:56")
    local seen = {}
    for name in machine.each(view) do
        table.insert(seen, name)
    end
    assert(table.concat(seen, " ") == "mac features stage label")
end

function tests.stages()
    local m = new({ mac = "525400123456", serial = false }, "dhcp")
    local function read(name)
        m.needs = nil
        return pcall(function()
            return machine.view(m)[name]
        end)
    end
    assert(read "uuid" and not m.needs)
    assert(not read "product" and m.needs == "product")
    assert(read "serial" and not m.needs, "known to be absent")
    local ok, message = pcall(function()
        return machine.view(m).label.rack
    end)
    assert(not ok and m.needs == "label.rack" and message:find("not known yet at the dhcp stage"))
    m.needs = nil
    ok, message = pcall(function()
        return machine.view(m)["label.rack"]
    end)
    assert(not ok and m.needs == "label.rack" and message:find("not known yet at the dhcp stage"))
    m = new({ ip = "10.0.0.9" }, "tftp")
    assert(not read "mac" and m.needs == "mac")
    m = new({ mac = "525400123456" }, "ipxe")
    assert(read "product" and not m.needs)
end

function tests.names()
    assert(machine.name(new { mac = "525400123456", serial = "x" }) == "52:54:00:12:34:56")
    assert(machine.name(new { ip = "10.0.0.1" }) == "10.0.0.1" and machine.name(new {}) == "a machine")
    assert(machine.field("label.x").name == "label.x" and not machine.field("label.") and not machine.field(1))
end

return tests

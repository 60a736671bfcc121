local identity = require "identity"
local machine = require "machine"
local normalise = require "normalise"

local tests = {}

local function make(fields, stage)
    local m, problem = machine.new(fields, stage or "ipxe")
    assert(m, problem)
    return m
end

function tests.as_a_person_reads_it()
    local m = make { mac = "52-54-00-00-00-01", uuid = "4C4C4544-0052-3510-8051-B4C04F4E3732", serial = "R5",
                     product = "PowerEdge R640", arch = "efi-x64", firmware = "ipxe", label = { rack = 12 } }
    local segment = identity.write(m)
    assert(segment == "~mac=52:54:00:00:00:01~uuid=4c4c4544-0052-3510-8051-b4c04f4e3732~serial=R5"
        .. "~product-hex=506f77657245646765205236343~arch=efi-x64~label.rack=12"
        or segment:find("~serial=R5~product-hex=506f776572456467652052363430~arch=efi-x64~label.rack=12", 1, true), segment)
    assert(identity.write(make { firmware = "ipxe" }) == "~")
end

function tests.nothing_that_anything_would_misread()
    local bytes = {}
    for i = 0, 255 do
        bytes[i + 1] = string.char(i)
    end
    local any = table.concat(bytes) .. "x"
    local m = make { serial = any, asset = "a~b=c", hostname = "x_y/z", label = { [any] = any, ["x-hex"] = "1", ["a=b"] = "2" } }
    local segment = identity.write(m)
    assert(segment:find("^[%w%-.:~=_]+$"), segment)
    local fields = identity.read(segment)
    for name, value in pairs { serial = any, asset = "a~b=c", hostname = "x_y/z" } do
        assert(fields[name] == value, name)
    end
    assert(fields.label[any] == any and fields.label["x-hex"] == "1" and fields.label["a=b"] == "2")
end

-- What was told at one stage is known at the other.
function tests.there_and_back()
    math.randomseed(3)
    local pieces = { "a", "~", "=", "-hex", ".", " ", "\0", "\255", "%41", "/", "label.", "é", "0", ":" }
    local function text()
        local parts = {}
        for i = 1, math.random(1, 6) do
            parts[i] = pieces[math.random(#pieces)]
        end
        return table.concat(parts)
    end
    for _ = 1, 2000 do
        local m = make { serial = text(), asset = text(), product = text(), hostname = text(), domain = text(),
                         vlan = math.random(4094), ip = "10.0.0." .. math.random(255), circuit_id = text(), relay = "10.1.0.1",
                         firmware = "ipxe", label = { [text()] = text(), [text()] = text() } }
        local fields, entry = identity.read(identity.write(m, { "relay", "circuit_id" }, 3))
        assert(entry == 3)
        local again = make(fields, fields.stage)
        for _, field in ipairs(machine.fields) do
            if field.name ~= "label" then
                assert(m[field.name] == again[field.name], field.name)
            end
        end
        for name, value in pairs(m.label) do
            assert(again.label[name] == value, name)
        end
        for name in pairs(again.label) do
            assert(m.label[name], name)
        end
    end
end

function tests.what_only_dhcp_told_is_carried_when_asked_for()
    local m = make { mac = "525400000001", interface = "eth0", relay = "10.1.0.1", firmware = "ipxe" }
    assert(identity.write(m) == "~mac=52:54:00:00:00:01")
    assert(identity.write(m, { "relay" }) == "~mac=52:54:00:00:00:01~relay=10.1.0.1")
end

-- A document is asked for later than any of these stages.
function tests.underscores()
    assert(identity.write(make { buildarch = "x86_64", asset = "__dmi.x__", firmware = "ipxe", label = { my_rack = 1 } })
        == "~asset-hex=5f5f646d692e785f5f~buildarch=x86_64~label.my_rack=1")
end

function tests.the_stage()
    assert(normalise.stage "http")
    assert(identity.write(make({ mac = "525400000001", firmware = "uboot" }, "http"))
        == "~mac=52:54:00:00:00:01~firmware=uboot~stage=http")
    assert(identity.write(make({ mac = "525400000001" }, "tftp")) == "~mac=52:54:00:00:00:01")
    assert(identity.read("~stage=http").stage == "http")
    for _, text in ipairs { "~", "~stage=dhcp", "~stage=tftp", "~stage=nonsense", "~stage-hex=zz" } do
        local fields = identity.read(text)
        assert(fields.stage == "ipxe" and fields.firmware == "ipxe", text)
    end
end

function tests.nonsense()
    for _, text in ipairs { "", "x", "mac=1" } do
        assert(identity.read(text) == nil)
    end
    local fields = identity.read "~~=~a~b=~mac~label.=1~label-hex=~label-hex=6~label-hex=61.6~serial-hex=616~features=x~interface=eth0"
    assert(fields.mac == nil and fields.serial == nil and fields.features == nil and next(fields.label) == nil)
    assert(fields.interface == "eth0")
end

return tests

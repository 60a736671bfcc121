-- Menus of PXE firmware, step by step: dhcp = { menu = { … } }.

local engine = require "engine"
local policies = require "policies"

local tests = {}

local policy = policies.load [=[
profile "menu" { dhcp = { file = "first.0", menu = {
  prompt = "Press F8", timeout = 5,
  { "Install", file = "install" },
  { "Rescue", file = "rescue.0", server = "10.0.0.9" },
  { "Somebody else's", type = 15, server = "10.0.0.5" },
  { "Local disk" },
} } }
profile "one" { dhcp = { menu = { { "Only", file = "only" }, { "Local disk" } } } }
rule "one" { match = { mac = "52:54:00:00:00:01" }, boot = "one" }
rule "all" { boot = "menu" }
]=]

local function ask(fields)
    local request = {
        protocol = "dhcp", message = "discover", port = 67, server = "10.0.0.2", base = "http://10.0.0.2:8080",
        mac = "52:54:00:00:00:02", arch_id = 0, vendor_class = "PXEClient:Arch:00000",
    }
    for name, value in pairs(fields or {}) do
        request[name] = value
    end
    local reply = engine.handle(policy, request)
    return reply and reply.dhcp
end

local MENU = "\6\1\3"
    .. "\8\21\128\0\1\10\0\0\2\128\1\1\10\0\0\2\0\15\1\10\0\0\5"
    .. "\9\50\128\0\7Install\128\1\6Rescue\0\15\15Somebody else's\0\0\10Local disk"
    .. "\10\9\5Press F8\255"

function tests.a_bios_gets_it_at_once()
    local reply = ask()
    assert(reply.file == "first.0" and reply.options[43] == MENU)
end

function tests.the_item_that_was_chosen()
    local reply = ask { port = 4011, message = "request", boot_item = { type = 0x8000, layer = 0 } }
    assert(reply.file == "install.0" and not reply.server and not reply.options[43])
    reply = ask { message = "request", boot_item = { type = 0x8001, layer = 0 } }
    assert(reply.file == "rescue.0" and reply.server == "10.0.0.9")
    assert(ask({ message = "request", boot_item = { type = 0x8000, layer = 1 } }).file == "install.1")
end

function tests.an_item_that_is_none_of_ours()
    for _, kind in ipairs { 0, 15, 0x8005 } do
        assert(not ask { port = 4011, message = "request", boot_item = { type = kind, layer = 0 } })
    end
end

function tests.uefi_comes_back_for_it()
    local offer = ask { arch_id = 7 }
    assert(offer and offer.file == "first.0" and not offer.options[43])
    assert(ask({ arch_id = 7, port = 4011, message = "request" }).options[43] == MENU)
end

function tests.uefi_is_spared_a_single_choice()
    local reply = ask { arch_id = 7, mac = "52:54:00:00:00:01" }
    assert(reply.file == "only.0" and not reply.options[43])
    reply = ask { mac = "52:54:00:00:00:01" }
    assert(not reply.file and reply.options[43]:find("\10\4\255PXE", 1, true))
end

function tests.ipxe_and_http_get_none()
    assert(ask({ is_ipxe = true }).file == "http://10.0.0.2:8080/boot.ipxe")
    assert(not ask({ arch_id = 16, vendor_class = "HTTPClient:Arch:00016" }).options[43])
end

function tests.menus_that_cannot_be()
    policies.refuses([=[
profile "a" { dhcp = { menu = {} } }
profile "b" { dhcp = { menu = { { "x", fil = "y" }, { file = "z" }, 1, promt = "p", timeout = 300 } } }
profile "c" { dhcp = { menu = { { ("x"):rep(250), file = "y" } } } }
profile "d" { dhcp = { menu = { { "x", server = "here", type = 70000 } } } }
]=], {
        "policy.lua:1: dhcp.menu has no items",
        "policy.lua:2: dhcp.menu.timeout: found 300, expected a number from 0 to 255",
        "policy.lua:2: dhcp.menu[2] has no text",
        'policy.lua:2: dhcp.menu[3]: found 1, expected an item, such as { "Install", file = "pxelinux.0" }',
        'policy.lua:2: unknown key "fil" in dhcp.menu[1] (did you mean "file"?)',
        'policy.lua:2: unknown key "promt" in dhcp.menu of profile "b" (did you mean "prompt"?)',
        "policy.lua:3: dhcp.menu is 272 bytes as PXE has it, and can be 255: shorten its texts",
        "policy.lua:4: dhcp.menu[1].server: found \"here\", expected an IPv4 address",
        "policy.lua:4: dhcp.menu[1].type: found 70000, expected a number from 0 to 65535",
    })
end

return tests

local dhcp = require "render.dhcp"

local tests = {}

local BASE = "http://10.0.0.2:8080"

local function request(fields)
    local r = {
        protocol = "dhcp", message = "discover", port = 67, base = BASE, server = "10.0.0.2",
        mac = "52:54:00:12:34:56", arch_id = 0, vendor_class = "PXEClient:Arch:00000:UNDI:002001",
    }
    for key, value in pairs(fields or {}) do
        r[key] = value or nil
    end
    return r
end

local function answer(fields, arch, own, settings)
    local r = request(fields)
    settings = settings or {}
    local kind = dhcp.kind(r, settings)
    return kind and dhcp.render({ dhcp = own }, r, kind, arch or "bios", settings), kind
end

-- Option 175 as iPXE sends it: sub-options of one byte.
local function features(...)
    local bytes = "\177\5\1\26\244\16\0" -- the card's bus id comes first
    for _, code in ipairs { ... } do
        bytes = bytes .. string.char(code, 1, 1)
    end
    return bytes
end

local function ipxe(fields)
    fields.is_ipxe = true
    fields.user_class = "iPXE"
    return fields
end

function tests.who_is_answered()
    assert(dhcp.kind(request(), {}) == "pxe")
    assert(dhcp.kind(request { vendor_class = "HTTPClient:Arch:00016", arch_id = 16 }, {}) == "http")
    assert(dhcp.kind(request(ipxe {}), {}) == "ipxe")
    assert(not dhcp.kind(request { vendor_class = false }, {}))
    assert(not dhcp.kind(request { vendor_class = "MSFT 5.0" }, {}))
    assert(not dhcp.kind(request { arch_id = false }, {}))
    assert(not dhcp.kind(request(ipxe { vendor_class = false }), {}))
    assert(dhcp.kind(request { vendor_class = "U-Boot.armv8", arch_id = 22 }, { vendors = { "U-Boot" } }) == "other")
    assert(dhcp.kind(request { vendor_class = "U-Boot", arch_id = false }, { vendors = { "U-Boot" } }) == "other")
end

function tests.bios_gets_undionly_and_is_told_to_boot_it()
    local a = answer()
    assert(a.file == "undionly.kpxe" and a.vendor_class == "PXEClient" and a.options[43] == "\6\1\8\255")
    assert(answer({ message = "request", port = 4011 }).options[43] == nil)
end

function tests.uefi_gets_the_program_of_its_architecture()
    for arch, file in pairs {
        ["efi-x64"] = "snponly.efi", ["efi-ia32"] = "snponly-ia32.efi", ["efi-arm64"] = "snponly-arm64.efi",
        ["efi-riscv64"] = "snponly-riscv64.efi", ["loongarch64"] = "snponly-loong64.efi",
    } do
        local a = answer({ arch_id = 7 }, arch)
        assert(a.file == file and a.options[43] == nil and a.vendor_class == "PXEClient", arch)
    end
    assert(answer({ arch_id = 33 }, "mips32") == nil)
end

function tests.http_boot_gets_a_url()
    local a = answer({ vendor_class = "HTTPClient:Arch:00016:UNDI:003001", arch_id = 16 }, "efi-x64-http")
    assert(a.file == BASE .. "/assets/snponly.efi" and a.vendor_class == "HTTPClient" and not next(a.options))
    a = answer({ vendor_class = "HTTPClient", arch_id = 16 }, "efi-x64-http", { file = "grub.efi" })
    assert(a.file == BASE .. "/assets/grub.efi")
    a = answer({ vendor_class = "HTTPClient", arch_id = 16 }, "efi-x64-http", { file = "http://h/x.iso" })
    assert(a.file == "http://h/x.iso")
end

function tests.ipxe_gets_the_script()
    local a = answer(ipxe { ipxe = features(0x13, 0x18) })
    assert(a.file == BASE .. "/boot.ipxe" and a.vendor_class == "PXEClient")
    assert(a.options[175] == "\1\1\1\176\1\1" and a.options[43] == nil)
    a = answer(ipxe { ipxe = features(0x13, 0x24), arch_id = 7 }, "efi-x64")
    assert(a.file == BASE .. "/boot.ipxe")
    assert(answer(ipxe {}).file == BASE .. "/boot.ipxe") -- it does not say what it can do
end

function tests.an_ipxe_that_lacks_what_is_needed_is_replaced_once()
    local no_http, no_bzimage = features(0x15, 0x18), features(0x13, 0x15)
    assert(answer(ipxe { ipxe = no_http }).file == "undionly.kpxe")
    assert(answer(ipxe { ipxe = no_bzimage }).file == "undionly.kpxe")
    assert(answer(ipxe { ipxe = no_http, arch_id = 7 }, "efi-x64").file == "snponly.efi")
    -- undionly repeats our own vendor class: it has been chained, there is nothing better.
    assert(answer(ipxe { ipxe = no_http, vendor_class = "PXEClient" }).file == BASE .. "/boot.ipxe")
end

function tests.features_survive_any_bytes()
    assert(dhcp.features(nil) == nil and dhcp.features("") == nil and dhcp.features("\19") == nil)
    local f = dhcp.features(features(0x13, 0x24))
    assert(f.http and f.efi and not f.bzimage)
    assert(dhcp.features("\19\1\0") == nil) -- a feature of version 0 is none
    for i = 0, 255 do
        dhcp.features(string.char(i, 255 - i, i))
        dhcp.features("\19\9" .. string.char(i))
    end
end

function tests.a_raspberry_pi_gets_its_menu()
    local a = answer { mac = "dc:a6:32:00:11:22" }
    assert(a.options[43]:find("Raspberry Pi Boot", 1, true) and not a.file)
    -- sub-options add up
    local at, codes = 1, {}
    while a.options[43]:byte(at) ~= 255 do
        codes[a.options[43]:byte(at)] = true
        at = at + 2 + a.options[43]:byte(at + 1)
    end
    assert(at == #a.options[43] and codes[9] and codes[10])
    assert(answer({ mac = "dc:a6:32:00:11:22", arch_id = 11 }, "efi-arm64").file == "snponly-arm64.efi")
    assert(answer({ arch_id = 41 }, "arm-rpiboot").options[43])
end

function tests.a_policy_has_the_last_word()
    local a = answer({}, "bios", { file = "pxelinux.0", server = "10.0.0.9", vendor_class = false,
                                   options = { [209] = "x.cfg", [43] = false } })
    assert(a.file == "pxelinux.0" and a.server == "10.0.0.9" and a.vendor_class == nil)
    assert(a.options[209] == "x.cfg" and a.options[43] == nil)
    -- iPXE gets it only when the policy means it too: else it would be sent round and round.
    assert(answer(ipxe {}, "bios", { file = "pxelinux.0" }).file == BASE .. "/boot.ipxe")
    assert(answer(ipxe {}, "bios", { file = "x", ipxe = true }).file == "x")
end

function tests.programs_and_vendors_are_settings()
    local settings = { programs = { bios = "ipxe.pxe", ["efi-x64"] = "ipxe.efi" }, vendors = { "U-Boot" } }
    assert(answer({}, "bios", nil, settings).file == "ipxe.pxe")
    local a = answer({ vendor_class = "HTTPClient", arch_id = 16 }, "efi-x64-http", nil, settings)
    assert(a.file == BASE .. "/assets/ipxe.efi")
    a = answer({ vendor_class = "U-Boot.armv8", arch_id = 22 }, "uboot-arm64", nil, settings)
    assert(a.file == "snponly-arm64.efi" and a.vendor_class == nil)
end

function tests.loaders_by_name()
    local uuid = "00112233-4455-6677-8899-aabbccddeeff"
    local a = answer({ uuid = uuid }, "bios", { loader = "pxelinux" })
    assert(a.file == "52-54-00-12-34-56/pxelinux.0" and a.options[210] == nil and a.options[43])
    assert(a.options[209] == "pxelinux.cfg/01-52-54-00-12-34-56?arch=bios&uuid=" .. uuid, a.options[209])
    a = answer({}, "bios", { loader = "lpxelinux", options = { [210] = "http://other/" } })
    assert(a.file == "52-54-00-12-34-56/lpxelinux.0" and a.options[210] == "http://other/")
    assert(answer({}, "bios", { loader = "lpxelinux" }).options[210] == BASE .. "/")
    a = answer({ arch_id = 7 }, "efi-x64", { loader = "shim" })
    assert(a.file == "52-54-00-12-34-56/shimx64.efi" and not next(a.options))
    assert(answer({ arch_id = 11 }, "efi-arm64", { loader = "grub" }).file == "52-54-00-12-34-56/grubnetaa64.efi")
    assert(answer({ mac = false, arch_id = 7 }, "efi-x64", { loader = "grub" }).file == "grubnetx64.efi")
    -- where there is none, and for iPXE, which is one already, all is as without
    assert(answer({ arch_id = 7 }, "efi-x64", { loader = "pxelinux" }).file == "snponly.efi")
    assert(answer(ipxe {}, "bios", { loader = "pxelinux" }).file == BASE .. "/boot.ipxe")
    assert(answer(ipxe {}, "bios", { loader = "pxelinux", ipxe = true }).file == "52-54-00-12-34-56/pxelinux.0")
    assert(answer({}, "bios", { loader = "pxelinux", file = "x" }).file == "x")
    a = answer({ vendor_class = "HTTPClient", arch_id = 16 }, "efi-x64-http", { loader = "shim" })
    assert(a.file == BASE .. "/assets/shimx64.efi")
end

return tests

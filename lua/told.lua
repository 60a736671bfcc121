-- What a machine tells of itself in a query: fields by name. Any parameter that is no field's
-- is a label.

local carry = require "carry"
local query = require "query"

local told = {}

local none = nil -- makes room (machine.lua)

-- What it may tell; the other fields are for us to know.
told.names = {
    mac = true, uuid = true, serial = true, asset = true, manufacturer = true, product = true,
    hostname = true, domain = true, arch = true, platform = true, buildarch = true,
    ip = true, gateway = true, vlan = true,
}

-- What its connection says of it, and no query can.
told.proved = { "tls", "tls_name", "tls_subject", "tls_fingerprint" }

local PROCESSORS = {
    i386 = "ia32", x86_64 = "x64", arm = "arm32", arm32 = "arm32", arm64 = "arm64",
    riscv32 = "riscv32", riscv64 = "riscv64",
}

-- iPXE's words for what GRUB has other words for.
local PLATFORMS = { pc = "pcbios" }

-- A machine's architecture by what iPXE and GRUB say of themselves.
local function arch_of(buildarch, platform)
    if platform == "pcbios" then
        return "bios"
    elseif platform == "efi" and (buildarch == "loong64" or buildarch == "loongarch64") then
        return "loongarch64"
    elseif platform == "efi" and PROCESSORS[buildarch] then
        return "efi-" .. PROCESSORS[buildarch]
    end
end

-- The fields of a machine from a query as it was sent, malformed ones included; and all that
-- the query says.
function told.fields(text, request)
    local all = query.parse(text)
    local fields = {
        ip = all.ip or request.client, interface = request.interface, label = {}, firmware = none,
        mac = all.mac, uuid = all.uuid, serial = all.serial, asset = all.asset,
        manufacturer = all.manufacturer, product = all.product, hostname = all.hostname, domain = all.domain,
        arch = all.arch, platform = all.platform, buildarch = all.buildarch, gateway = all.gateway, vlan = all.vlan,
    }
    if request.tls then
        for _, name in ipairs(told.proved) do
            fields[name] = request[name]
        end
    end
    for name, value in pairs(all) do
        if not told.names[name] and not carry.take(fields, name, value) then
            fields.label[name] = value
        end
    end
    fields.platform = PLATFORMS[fields.platform] or fields.platform
    fields.arch = fields.arch or arch_of(fields.buildarch, fields.platform)
    return fields, all
end

return told

-- Which fields a machine has: their types, and at which stages firmware can have told them.

local normalise = require "normalise"
local problems = require "problems"

local fields = {}

-- Every field in order: name, type (normalise.lua), the early stages at which a machine
-- that has one has told it, and what it is. From the later stages on, all are known.
fields.list = {
    { name = "mac", type = "mac", early = "dhcp", doc = "hardware address, as 52:54:00:12:34:56" },
    { name = "uuid", type = "uuid", early = "dhcp", doc = "SMBIOS UUID, as dmidecode prints it" },
    { name = "serial", type = "text", doc = "SMBIOS serial number" },
    { name = "asset", type = "text", doc = "SMBIOS asset tag" },
    { name = "manufacturer", type = "text", doc = "SMBIOS manufacturer" },
    { name = "product", type = "text", doc = "SMBIOS product name" },
    { name = "hostname", type = "lower", doc = "the name it was given by DHCP" },
    { name = "domain", type = "lower", doc = "the DNS domain it was given by DHCP" },
    { name = "arch", type = "arch", early = "dhcp", doc = "kind of firmware: bios, efi-x64, …" },
    { name = "arch_id", type = "number", early = "dhcp", doc = "its number (option 93); 7 and 9 are both efi-x64" },
    { name = "platform", type = "lower", doc = "iPXE's platform: pcbios, efi" },
    { name = "buildarch", type = "lower", doc = "iPXE's own architecture: i386, x86_64, arm64" },
    { name = "ip", type = "ip", doc = "its address" },
    { name = "gateway", type = "ip", doc = "its router" },
    { name = "interface", type = "text", early = "dhcp tftp", doc = "our interface that heard it" },
    { name = "vlan", type = "number", doc = "VLAN tag" },
    { name = "relay", type = "ip", early = "dhcp", doc = "address of the DHCP relay (giaddr)" },
    { name = "circuit_id", type = "text", early = "dhcp", doc = "the relay's port (option 82.1)" },
    { name = "remote_id", type = "text", early = "dhcp", doc = "the relay's name (option 82.2)" },
    { name = "user_class", type = "text", early = "dhcp", doc = "option 77" },
    { name = "vendor_class", type = "text", early = "dhcp", doc = "option 60" },
    { name = "firmware", type = "lower", early = "dhcp", doc = "who asks: pxe, http, ipxe, grub, uboot, …" },
    { name = "features", type = "set", early = "dhcp", doc = "what iPXE can do: http, bzimage, …" },
    { name = "stage", type = "stage", early = "dhcp tftp", doc = "how it asks: dhcp, tftp, ipxe, grub, …" },
    { name = "tls", type = "text", doc = "over HTTPS: the version of TLS" },
    { name = "tls_name", type = "text", doc = "the common name of its client certificate (http.tls.client_ca)" },
    { name = "tls_subject", type = "text", doc = "the subject of that: CN=node1,O=lab" },
    { name = "tls_fingerprint", type = "text", doc = "the SHA-256 of that, in hexadecimal" },
    { name = "label", type = "labels", doc = "label.NAME: any other query parameter" },
}

-- What PXELINUX tells by the name it asks for, one after the other: what the name leaves out is
-- not known yet.
local by_turns = { mac = true, uuid = true }

local by_name = {}
for _, field in ipairs(fields.list) do
    field.late = { pxelinux = by_turns[field.name] or false }
    for _, stage in ipairs { "dhcp", "tftp" } do
        field.late[stage] = not (field.early or ""):find(stage, 1, true)
    end
    field.quick = normalise.quick[field.type]
    by_name[field.name] = field
end

-- Set of the names.
fields.by_name = by_name

-- The field of a name; "label.NAME" is one too. nil when there is none.
function fields.find(name)
    if by_name[name] then
        return by_name[name]
    end
    local label = type(name) == "string" and name:match("^label%.(.+)$")
    return label and { name = name, label = label, type = "text", late = by_name.label.late } or nil
end

-- What is wrong about a field's name.
function fields.unknown(name)
    return string.format("a machine has no field %s%s", problems.show(name),
                         problems.hint(name, by_name))
end

return fields

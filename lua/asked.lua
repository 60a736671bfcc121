-- What a boot loader tells by the name of the configuration it asks for.
--
-- PXELINUX tries pxelinux.cfg/ and its UUID, hardware address, IP address in hexadecimal, each
-- prefix of that, and "default", until one is there; GRUB grub.cfg and the same behind "-", the
-- plain grub.cfg last. UUIDs are the bytes of DHCP's option 97 as they stand, whose first three
-- fields are little-endian: not what dmidecode prints.

local url = require "url"

local host = host

local asked = {}

-- A UUID with the bytes of its first three fields the other way round.
function asked.swapped(uuid)
    return (uuid:gsub("^(%x%x)(%x%x)(%x%x)(%x%x)%-(%x%x)(%x%x)%-(%x%x)(%x%x)", "%4%3%2%1-%6%5-%8%7"))
end

local UUID = "^" .. table.concat({ ("%x"):rep(8), ("%x"):rep(4), ("%x"):rep(4), ("%x"):rep(4), ("%x"):rep(12) },
                                 "%-") .. "$"

local function hex_ip(digits)
    local bytes = {}
    for pair in digits:gmatch("..") do
        bytes[#bytes + 1] = tonumber(pair, 16)
    end
    return table.concat(bytes, ".")
end

-- What a name tells -> { mac = }, { uuid = }, { ip = }, { general = true } for the last one, which
-- all ask for; nil for any other, prefixes of an address included.
local function tells(name, general)
    local address = name:match("^%x%x%-(.+)$")
    if name:find(UUID) then
        return { uuid = name:lower() }
    elseif address and host.mac(address) then
        return { mac = host.mac(address) }
    elseif name:find("^%x%x%x%x%x%x%x%x$") then
        return { ip = hex_ip(name) }
    end
    return name == general and { general = true } or nil
end

-- A path below the TFTP root -> { loader = "pxelinux" or "grub", query = text or nil } and what the
-- name tells; nil when it is no configuration of theirs.
function asked.read(path)
    local plain, text = path:match("^([^?]*)%??(.*)$")
    local name = ("/" .. plain):match("/pxelinux%.cfg/([^/]+)$")
    local loader, found = "pxelinux"
    if name then
        found = tells(url.decode(name), "default")
    else
        loader, name = "grub", ("/" .. plain):match("/grub%.cfg%-?([^/]*)$")
        -- GRUB first looks for one beside the modules of its platform.
        if not name or plain:find("%-efi/[^/]*$") or plain:find("%-pc/[^/]*$") then
            return nil
        end
        found = tells(name, "")
    end
    if found then
        found.loader, found.path, found.query = loader, plain, text
    end
    return found
end

return asked

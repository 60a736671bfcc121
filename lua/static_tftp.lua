-- What a policy asks of TFTP that a server of plain files cannot give: tftp-hpa knows no machine,
-- and renders nothing. Said while the policy loads: such a machine would not boot.

local bootloaders = require "bootloaders"
local reader = require "reader"

local static_tftp = {}

local BUILT_IN = ": that needs the built-in server (site.yaml: `tftp: { backend: builtin }`), and the "
                 .. "backend is hpa"

-- Loaders that ask TFTP for a configuration, by the base names of their programs; lpxelinux asks
-- HTTP.
local programs = {}
for loader, names in pairs(bootloaders.programs) do
    for _, name in pairs(loader ~= "lpxelinux" and names or {}) do
        programs[name:match("[^/]+$")] = loader
    end
end

-- Why TFTP would have to write what this boot file is or asks for; nil: it need not. `kernel`: the
-- profile says what boots, and not the site's own files.
local function rendered(file, kernel)
    local base = file:match("[^/]+$") or file
    if file:find("^%a[%w+.-]*:") then
        return nil
    elseif base == "boot.ipxe" or base == "boot.ipxe.0" or file:find("^/?grub%?") then
        return "is written for the machine that asks"
    end
    local loader = kernel and programs[base]
    return loader and "asks TFTP for a configuration, which is written for the machine that asks" or nil
end

-- Checks what a profile or rule has read into `into`.
function static_tftp.check(reading, path, into)
    if not (reading.loader and reading.loader.static_tftp) then
        return
    end
    local own = into.dhcp or {}
    if into.files then
        reading:problem(reader.within(path, "files"), "files: names by the machine that asks TFTP" .. BUILT_IN)
    end
    if own.loader and own.loader ~= "ipxe" and own.loader ~= "lpxelinux" then
        reading:problem(reader.within(reader.within(path, "dhcp"), "loader"),
                        "dhcp.loader: %s asks TFTP for a configuration, which is written for the machine that asks"
                        .. BUILT_IN, own.loader)
    end
    -- What a rule boots is not known here: as good as always a profile with a kernel.
    local kernel = into.kernel ~= nil or reading.word == "rule" and #path == 0
    local why = own.file and own.server == nil and rendered(own.file, kernel)
    if why then
        reading:problem(reader.within(reader.within(path, "dhcp"), "file"), "dhcp.file: %s %s" .. BUILT_IN,
                        own.file, why)
    end
end

return static_tftp

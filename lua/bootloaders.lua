-- The programs that may bring a machine from its firmware to its kernel, besides iPXE:
-- `dhcp = { loader = "grub" }`. File names are Debian's; core/files.c knows which package has
-- them when the TFTP root has none of that name.

local arch_of = require("arch").without_http

local host = host

local bootloaders = {}

local GRUB = {
    ["bios"] = "grub/i386-pc/core.0", -- as grub-mknetdir makes it: no package has one
    ["efi-ia32"] = "grubnetia32.efi",
    ["efi-x64"] = "grubnetx64.efi",
    ["efi-arm64"] = "grubnetaa64.efi",
}

-- The program by architecture; for any other one iPXE is what it was.
bootloaders.programs = {
    ipxe = {},
    pxelinux = { ["bios"] = "pxelinux.0" },
    lpxelinux = { ["bios"] = "lpxelinux.0" },
    grub = GRUB,
    shim = {
        ["efi-ia32"] = "shimia32.efi",
        ["efi-x64"] = "shimx64.efi",
        ["efi-arm64"] = "shimaa64.efi",
    },
}

-- The directory of a machine's own under the TFTP root: what is asked for beneath it is asked
-- for by this machine. "" when it has no hardware address.
function bootloaders.directory(mac)
    return mac and mac:gsub(":", "-") .. "/" or ""
end

-- A path as a client wrote it -> the address of the machine whose directory it is in, or nil;
-- and what remains of the path.
function bootloaders.machine_of(path)
    local directory = path:byte(3) == 45 and path:byte(18) == 47 and #path > 18 -- 52-54-00-12-34-56/…
    local mac = directory and host.mac(path:sub(1, 17)) or nil
    return mac, mac and path:sub(19) or path
end

-- What DHCP tells a client whose loader it is -> file, options; nil when there is no such
-- program for this architecture. `facts` is a query of what DHCP told (carry.lua).
function bootloaders.answer(loader, arch, request, facts)
    arch = arch and arch_of(arch)
    local program = bootloaders.programs[loader][arch]
    if not program then
        return nil
    end
    local directory = bootloaders.directory(request.mac)
    local options = {}
    if request.mac and (loader == "pxelinux" or loader == "lpxelinux") then
        -- The name that is asked for first; what is known now need not be asked again.
        local known = { "arch=" .. arch }
        known[#known + 1] = request.uuid and "uuid=" .. request.uuid or nil
        known[#known + 1] = facts ~= "" and facts or nil
        options[209] = ("pxelinux.cfg/01-%s?%s"):format(directory:sub(1, -2), table.concat(known, "&"))
    end
    if loader == "lpxelinux" then
        options[210] = request.base .. "/"
    end
    return directory .. program, options
end

return bootloaders

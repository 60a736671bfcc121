-- What each kind of firmware gets from the proxyDHCP side.
--
-- A policy decides that a machine boots, and what; which program brings it there is
-- known here, so that a policy need not say anything. Its overrides come last. Which
-- messages a boot server answers at all, and the fields and options that every answer
-- has, are the codec's affair.

local arch_of = require("arch").without_http
local bootloaders = require "bootloaders"
local pxe_menu = require "render.pxe_menu"
local url = require "url"

local none = nil -- makes room (machine.lua)

local dhcp = {}

-- iPXE, as Debian's `ipxe` package names it; other architectures by the same pattern.
-- "-http" architectures (UEFI HTTP boot) take the program of their processor.
local PROGRAMS = {
    ["bios"] = "undionly.kpxe",
    ["efi-x64"] = "snponly.efi",
    ["efi-ia32"] = "snponly-ia32.efi",
    ["efi-arm32"] = "snponly-arm32.efi",
    ["efi-arm64"] = "snponly-arm64.efi",
    ["efi-riscv32"] = "snponly-riscv32.efi",
    ["efi-riscv64"] = "snponly-riscv64.efi",
    ["loongarch64"] = "snponly-loong64.efi",
    ["uboot-arm32"] = "snponly-arm32.efi",
    ["uboot-arm64"] = "snponly-arm64.efi",
}

-- Sub-options of option 43 (PXE 2.1, 2.3).
local DISCOVERY_BOOT_FILE = "\6\1\8" -- boot the file named in the packet
local END = "\255"

-- The boot ROM of a Raspberry Pi looks for a menu of this text, and then asks TFTP for
-- names of its own; it has no use for a boot file.
local PI_MENU = "\6\1\3" .. "\10\4\0PXE" .. "\9\20\0\0\17Raspberry Pi Boot" .. END
local PI_PREFIXES = {
    ["b8:27:eb"] = true, ["dc:a6:32"] = true, ["e4:5f:01"] = true,
    ["d8:3a:dd"] = true, ["28:cd:c1"] = true, ["2c:cf:67"] = true,
}

-- Sub-options of option 175 to iPXE: this offer counts more than the main server's, and
-- port 4011 need not be asked.
local IPXE_OPTIONS = "\1\1\1" .. "\176\1\1"

-- Sub-options of option 175 from iPXE: what it was built with (ipxe/features.h).
local FEATURES = {
    [0x10] = "pxe-ext", [0x11] = "iscsi", [0x12] = "aoe", [0x13] = "http", [0x14] = "https",
    [0x15] = "tftp", [0x16] = "ftp", [0x17] = "dns", [0x18] = "bzimage", [0x19] = "multiboot",
    [0x1a] = "slam", [0x1b] = "srp", [0x20] = "nbi", [0x21] = "pxe", [0x22] = "elf",
    [0x23] = "comboot", [0x24] = "efi", [0x25] = "fcoe", [0x26] = "vlan", [0x27] = "menu",
    [0x28] = "sdi", [0x29] = "nfs",
}

-- Option 175 of a client as a set of names; nil when it sent none that is known.
function dhcp.features(bytes)
    local features
    local at = 1
    while bytes and at + 1 <= #bytes do
        local code, len = bytes:byte(at, at + 1)
        if code == 0 or code == 255 then
            break
        end
        local value = bytes:sub(at + 2, at + 1 + len)
        if FEATURES[code] and #value == len and len > 0 and value:byte() ~= 0 then
            features = features or {}
            features[FEATURES[code]] = true
        end
        at = at + 2 + len
    end
    return features
end

local function starts_with(text, prefix)
    return text:sub(1, #prefix) == prefix
end

-- What kind of client a request comes from: "ipxe", "http", "pxe" or, for a vendor that
-- the policy answers too, "other". Nil: none of ours.
function dhcp.kind(request, settings)
    local class = request.vendor_class
    if not class then
        return nil
    elseif starts_with(class, "PXEClient") then
        return request.arch_id and (request.is_ipxe and "ipxe" or "pxe")
    elseif starts_with(class, "HTTPClient") then
        return request.arch_id and "http"
    end
    for _, prefix in ipairs(settings.vendors or {}) do
        if starts_with(class, prefix) then
            return "other"
        end
    end
end

-- The machine field `firmware`.
function dhcp.firmware(request, kind)
    if kind ~= "other" then
        return kind
    end
    return starts_with(request.vendor_class, "U-Boot") and "uboot" or nil
end

-- Whether this iPXE can run our script: it loads HTTP and Linux kernels. One whose
-- vendor class is bare was chained by us already (it repeats our own option 60), and
-- is sent no second time to fetch what it is.
local function runs_script(request, arch)
    local features = dhcp.features(request.ipxe)
    if not features or request.vendor_class == "PXEClient" then
        return true
    end
    return features.http and (features.bzimage or arch ~= "bios" and features.efi) or false
end

-- Old ROMs of the Raspberry Pi say that they are a PC's BIOS; newer ones say 41.
local function is_pi(request)
    return request.arch_id == 41
        or request.arch_id == 0 and request.mac ~= nil and PI_PREFIXES[request.mac:sub(1, 8)]
end

local function program(settings, arch)
    arch = arch and arch_of(arch) or ""
    return settings.programs and settings.programs[arch] or PROGRAMS[arch]
end

-- The URL of a program for firmware that boots by HTTP.
local function program_url(base, file)
    return file:find("^%a[%w+.-]*:") and file or base .. "/assets/" .. file
end

-- The script that asks; `carried` are facts that it must pass on (carry.lua).
local function script_url(base, carried)
    return base .. "/boot.ipxe" .. (carried and carried ~= "" and "?" .. carried or "")
end

-- The answer that needs no policy, or nil when there is none for this client.
local function default(request, kind, arch, settings, carried, image)
    local answer = { options = {}, vendor_class = none, file = none, server = none }
    if kind == "ipxe" then
        answer.vendor_class = "PXEClient"
        answer.options[175] = IPXE_OPTIONS
        answer.file = runs_script(request, arch) and script_url(request.base, carried)
            or program(settings, arch)
    elseif kind == "http" then
        answer.vendor_class = "HTTPClient"
        local file = program(settings, arch)
        answer.file = image and url.resolve(request.base, image) or file and program_url(request.base, file)
    else
        answer.vendor_class = kind == "pxe" and "PXEClient" or nil
        if kind == "pxe" and is_pi(request) then
            answer.options[43] = PI_MENU
            return answer
        end
        answer.file = program(settings, arch)
        -- BIOS ROMs want to be told; UEFI differs in whether it takes this or insists on
        -- port 4011, which it asks when it is told nothing.
        if kind == "pxe" and arch == "bios" and request.message == "discover" then
            answer.options[43] = DISCOVERY_BOOT_FILE .. END
        end
    end
    return answer
end

-- A policy's own words for this client, over the default. Returns whether the client is
-- answered, whatever the answer holds; nil: when it holds something.
local function override(answer, own, request, kind, arch, carried)
    if not own or kind == "ipxe" and not own.ipxe then
        return nil
    end
    if own.menu then
        answer.file = nil
    end
    if own.loader and not own.file then
        local file, options = bootloaders.answer(own.loader, arch, request, carried)
        if file then
            answer.file = kind == "http" and program_url(request.base, file:match("[^/]+$")) or file
            for code, bytes in pairs(kind ~= "http" and options or {}) do
                answer.options[code] = bytes
            end
        end
    elseif own.file then
        answer.file = kind == "http" and program_url(request.base, own.file) or own.file
    end
    answer.server = own.server
    if own.vendor_class ~= nil then
        answer.vendor_class = own.vendor_class or nil
    end
    for code, bytes in pairs(own.options or {}) do
        answer.options[code] = bytes or nil
    end
    if own.menu and kind ~= "http" then
        return pxe_menu.apply(own.menu, answer, request)
    end
end

-- The `dhcp` part of a reply for a decision that answers, or nil: silence. `image` is what firmware
-- that boots by HTTP is to start itself, if anything (outcome.lua).
function dhcp.render(decision, request, kind, arch, settings, carried, image)
    local answer = default(request, kind, arch, settings, carried, image)
    local answered = override(answer, decision.dhcp, request, kind, arch, carried)
    if answered == nil then
        answered = answer.file or answer.options[43]
    end
    return answered and answer or nil
end

return dhcp

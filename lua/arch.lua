-- The kinds of machine that firmware says it is (option 93): IANA's "Processor
-- Architecture Types", by number and by the name a policy uses.
--
-- 7 and 9 were swapped between RFC 4578 and its erratum: both are x64 UEFI. A name that
-- ends in "-http" is the same kind of machine, booting over HTTP instead of TFTP.

local arch = {}

local names = {
    [0] = "bios",
    [1] = "nec-pc98",
    [2] = "itanium",
    [3] = "alpha",
    [4] = "arc-x86",
    [5] = "intel-lean",
    [6] = "efi-ia32",
    [7] = "efi-x64",
    [8] = "efi-xscale",
    [9] = "efi-x64",
    [10] = "efi-arm32",
    [11] = "efi-arm64",
    [12] = "powerpc-openfirmware",
    [13] = "powerpc-epapr",
    [14] = "power-opal",
    [15] = "efi-ia32-http",
    [16] = "efi-x64-http",
    [17] = "efi-ebc-http",
    [18] = "efi-arm32-http",
    [19] = "efi-arm64-http",
    [20] = "bios-http",
    [21] = "uboot-arm32",
    [22] = "uboot-arm64",
    [23] = "uboot-arm32-http",
    [24] = "uboot-arm64-http",
    [25] = "efi-riscv32",
    [26] = "efi-riscv32-http",
    [27] = "efi-riscv64",
    [28] = "efi-riscv64-http",
    [29] = "efi-riscv128",
    [30] = "efi-riscv128-http",
    [31] = "s390-basic",
    [32] = "s390-extended",
    [33] = "mips32",
    [34] = "mips64",
    [35] = "sunway32",
    [36] = "sunway64",
    [37] = "loongarch32",
    [38] = "loongarch32-http",
    [39] = "loongarch64",
    [40] = "loongarch64-http",
    [41] = "arm-rpiboot",
}

-- Set of the names.
arch.names = {}
local without_http = {}
for _, name in pairs(names) do
    arch.names[name] = true
    without_http[name] = name:gsub("%-http$", "")
end

-- Every number has a name: those without one of their own are "arch-N".
function arch.name(id)
    return names[id] or string.format("arch-%d", id)
end

-- The name of the same machine when it does not boot over HTTP.
function arch.without_http(name)
    return without_http[name] or name
end

-- A number or a name, in any case, as the name; nil for what is neither.
function arch.parse(value)
    if type(value) == "number" then
        return value >= 0 and value < 65536 and value % 1 == 0 and arch.name(value) or nil
    end
    local text = value:lower()
    if arch.names[text] then
        return text
    end
    local id = tonumber(text:match("^arch%-(%d+)$") or text:match("^%d+$"))
    return id and id < 65536 and arch.name(id) or nil
end

-- What an architecture in a policy stands for: itself, and the same machine over HTTP.
function arch.variants(name)
    local http = name .. "-http"
    return arch.names[http] and { name, http } or { name }
end

return arch

-- A policy is tried before it serves: decisions for machines that there are not, at each stage.
-- What goes wrong there is a warning, as a real machine may never be like these.

local cmdline = require "render.cmdline"
local machine = require "machine"
local simulate = require "simulate"
local waits = require "waits"

local selfcheck = {}

-- Addresses and names that are nobody's (RFC 7042, RFC 5737).
local FIELDS = {
    mac = "00:00:5e:00:53:01", uuid = "00000000-0000-4000-8000-00005e005301", serial = "SELFCHECK",
    manufacturer = "moonboot", product = "self-check", ip = "192.0.2.1",
}

local ARCHS = { "bios", "efi-x64", "efi-arm64" }
local STAGES = { "dhcp", "ipxe", "grub", "pxelinux" }
local MOST = 20 -- warnings
local LIMIT = 5 -- seconds of virtual time

local function trial_machine(arch, stage)
    local fields = { arch = arch }
    for name, value in pairs(FIELDS) do
        fields[name] = value
    end
    return assert(machine.new(fields, stage))
end

-- Runs one decision -> what went wrong, or nil. Nobody is asked anything: what comes of a question
-- is not known.
local function try(policy, arch, stage)
    local asked = false
    local clock = waits.virtual(LIMIT, function()
        asked = true
        return 0, nil, "nobody is asked in a trial"
    end)
    local function decide()
        local _, info = simulate[stage](policy, trial_machine(arch, stage))
        return info
    end
    local ok, info = pcall(waits.run, clock.serve, decide)
    if asked then
        return nil
    elseif not ok then
        return tostring(info)
    end
    local problem = info and info.error
    -- What is to be verified is meant to fail for those who cannot.
    return not (problem and problem:find(cmdline.UNVERIFIED, 1, true)) and problem or nil
end

-- The warnings: a list.
function selfcheck.run(policy)
    local warnings, seen = {}, {}
    policy.base = simulate.base
    for _, stage in ipairs(STAGES) do
        for _, arch in ipairs(ARCHS) do
            local problem = try(policy, arch, stage)
            if problem and not seen[problem] and #warnings < MOST then
                seen[problem] = true
                warnings[#warnings + 1] = ("%s (in a trial: %s, stage %s)"):format(problem, arch, stage)
            end
        end
    end
    return warnings
end

return selfcheck

-- The types of a machine's fields: any notation that sites and firmware use, as the one
-- that policies see. Each function: value -> the normal value, or nil (absent), or nil
-- and what was expected.

local arch = require "arch"
local problems = require "problems"

local host = host
local byte, find, sub = string.byte, string.find, string.sub

local normalise = {}

-- SMBIOS strings and DHCP options come padded.
local function trim(value)
    if type(value) == "string" and (value:byte(-1) or 0) > 32 then
        return value
    elseif type(value) == "number" then
        value = string.format("%.14g", value)
    elseif type(value) ~= "string" then
        return nil, "text"
    end
    local last = #value
    while last > 0 and byte(value, last) <= 32 do
        last = last - 1
    end
    if last == 0 then
        return nil
    end
    return last < #value and sub(value, 1, last) or value
end

-- A type of which `parse` knows the normal form: text -> value | nil.
local function parsed(parse, expected)
    return function(value)
        local text, problem = trim(value)
        if not text then
            return nil, problem and expected
        end
        -- C would not see what follows a NUL.
        local normal = not find(text, "\0", 1, true) and parse(text)
        if not normal then
            return nil, expected
        end
        return normal
    end
end

normalise.text = trim

function normalise.lower(value)
    local text, expected = trim(value)
    return text and text:lower(), expected
end

normalise.mac = parsed(host.mac, "a MAC address, such as 52:54:00:12:34:56")

local uuid = parsed(host.uuid, "a UUID, such as 4c4c4544-0052-3510-8051-b4c04f4e3732")

-- What firmware sends when it has none, however it is written.
local FILLERS = {
    ["00000000-0000-0000-0000-000000000000"] = true, ["ffffffff-ffff-ffff-ffff-ffffffffffff"] = true,
}

function normalise.uuid(value)
    local normal, expected = uuid(value)
    if normal then
        return not FILLERS[normal] and normal or nil
    elseif type(value) == "string" then
        local digits = value:gsub("[-{}%s%z]", ""):lower()
        if digits == ("0"):rep(32) or digits == ("f"):rep(32) then
            return nil
        end
    end
    return nil, expected
end

local ip = parsed(function(text)
    return host.ip(text) and text
end, "an IPv4 address, such as 10.0.0.2")

function normalise.ip(value)
    local text, expected = ip(value)
    if text == "0.0.0.0" then
        return nil
    end
    return text, expected
end

normalise.number = parsed(tonumber, "a number")

function normalise.arch(value)
    local text, expected = trim(value)
    if not text then
        return nil, expected
    end
    local name = arch.parse(type(value) == "number" and value or text)
    if not name then
        return nil, "an architecture, such as bios or efi-x64" .. problems.hint(text, arch.names)
    end
    return name
end

local stages = { dhcp = true, tftp = true, http = true, ipxe = true, grub = true, pxelinux = true,
                 pixiecore = true }

function normalise.stage(value)
    local text = normalise.lower(value)
    if not stages[text] then
        return nil, "dhcp, tftp, http, ipxe, grub, pxelinux or pixiecore" .. problems.hint(text, stages)
    end
    return text
end

-- A list, a set, or words in one text.
function normalise.set(value)
    local members = {}
    if type(value) == "string" then
        for word in value:gmatch("[^%s,%z]+") do
            members[word:lower()] = true
        end
    elseif type(value) == "table" then
        for key, member in pairs(value) do
            local word = type(key) == "number" and member or key
            if type(word) ~= "string" then
                return nil, "a list of words"
            elseif member then
                members[word:lower()] = true
            end
        end
    else
        return nil, "a list of words"
    end
    return next(members) and members or nil
end

-- What finds the normal form of nearly all values of some types; when it gives nil, the function of
-- that type has to look.
normalise.quick = { arch = function(value)
    return arch.names[value] and value
end }
for name, quick in pairs(host.normal) do
    normalise.quick[name] = quick
end

return normalise

-- Who a machine is, as one segment of a URL's path: "~mac=52:54:00:12:34:56~serial=R5". What
-- is served under it is decided for this machine as if it had asked itself, whoever asks.
--
-- It stands in the path, not in a query, as there are programs that append names to a URL
-- (cloud-init's NoCloud). And it has only bytes that iPXE, boot loaders, kernels, shells and
-- HTTP clients leave alone: other values go as hexadecimal.

local carry = require "carry"
local machine = require "machine"
local normalise = require "normalise"
local told = require "told"

local identity = {}

-- Who is asked for a document is past these.
local early = { dhcp = true, tftp = true }

-- cloud-init fills in what stands between two underscores twice.
local function is_plain(text)
    return text:find("^[%w%-.:_]+$") and not text:find("__", 1, true)
end

-- Bytes in hexadecimal.
function identity.hex(text)
    return (text:gsub(".", function(char)
        return ("%02x"):format(char:byte())
    end))
end

-- What was in hexadecimal; nil when it is none.
function identity.bytes(text)
    if #text % 2 ~= 0 or text:find("%X") then
        return nil
    end
    return (text:gsub("..", function(pair)
        return string.char(tonumber(pair, 16))
    end))
end

local function piece(name, value)
    value = tostring(value)
    if is_plain(value) then
        return name .. "=" .. value
    end
    return name .. "-hex=" .. identity.hex(value)
end

-- The segment of this machine; `carried` are the names of what the policy wants to know of
-- what DHCP told (carry.lua), `entry` is what was chosen of a menu, a number.
function identity.write(m, carried, entry)
    local pieces = {}
    local function add(name)
        if m[name] and m[name] ~= "" then
            pieces[#pieces + 1] = piece(name, m[name])
        end
    end
    for _, field in ipairs(machine.fields) do
        if told.names[field.name] then
            add(field.name)
        end
    end
    for _, name in ipairs(carried or {}) do
        add(name)
    end
    for _, name in ipairs { "firmware", "stage" } do
        if m[name] ~= "ipxe" and not (name == "stage" and early[m.stage]) then
            add(name)
        end
    end
    if entry then
        pieces[#pieces + 1] = piece("entry", entry)
    end
    local labels = {}
    for name, value in pairs(m.label) do
        local plain = is_plain(name) and is_plain(tostring(value))
        labels[#labels + 1] = plain and "label." .. name .. "=" .. value
                              or "label-hex=" .. identity.hex(name) .. "." .. identity.hex(tostring(value))
    end
    table.sort(labels)
    for _, label in ipairs(labels) do
        pieces[#pieces + 1] = label
    end
    return "~" .. table.concat(pieces, "~")
end

-- The fields that a segment tells, labels in `label`, and the entry of a menu; nil when it is
-- none.
function identity.read(segment)
    if segment:sub(1, 1) ~= "~" then
        return nil
    end
    local fields, entry = { label = {} }, nil
    for name, value in segment:gmatch("([^~=]+)=([^~]*)") do
        local label = name:match("^label%.(.+)$")
        local plain = name:match("^(.+)%-hex$")
        if label then
            fields.label[label] = value
        elseif plain == "label" then
            local from, to = value:match("^(%x+)%.(%x*)$")
            from, to = from and identity.bytes(from), to and identity.bytes(to)
            if from and to then
                fields.label[from] = to
            end
        elseif name == "entry" then
            entry = tonumber(value)
        else
            value = plain and identity.bytes(value) or not plain and value or nil
            name = plain or name
            if told.names[name] or carry.is(name) or name == "firmware" or name == "stage" then
                fields[name] = value
            end
        end
    end
    fields.stage = not early[fields.stage] and normalise.stage(fields.stage) or "ipxe"
    fields.firmware = fields.firmware or "ipxe"
    if fields.stage == "pxelinux" then -- what it did not tell by now it does not
        fields.mac, fields.uuid = fields.mac or false, fields.uuid or false
    end
    return fields, entry
end

return identity

-- Facts that only DHCP tells (relay, option 82, classes, our interface) on their way to the
-- stages that come later: in the URL of the script that iPXE is offered, and from there in
-- what the script asks. Only those that a policy speaks of are carried.

local url = require "url"

local carry = {}

-- In this order they stand in a URL.
carry.names = { "interface", "relay", "circuit_id", "remote_id", "user_class", "vendor_class" }

local carried = {}
for _, name in ipairs(carry.names) do
    carried[name] = name
    carried[name .. "-hex"] = name
end

-- The names that occur in a policy's text, wherever: in a match, a function, an {{expression}}.
function carry.used(text)
    local used = {}
    for _, name in ipairs(carry.names) do
        if text:find("%f[%w_]" .. name .. "%f[^%w_]") then
            used[#used + 1] = name
        end
    end
    return used
end

local function hex(text)
    return (text:gsub(".", function(char)
        return ("%02x"):format(char:byte())
    end))
end

-- One fact as a piece of a query. iPXE takes the percent signs out of a URL and would end
-- it at a NUL, so that what is not plain goes as hexadecimal.
local function piece(name, value)
    if value:find("^[%w%-%._~:]+$") then
        return name .. "=" .. value
    end
    return name .. "-hex=" .. hex(value)
end

-- A query of those of `names` that the machine has; "" for none.
function carry.query(names, m)
    if #names == 0 then
        return ""
    end
    local pieces = {}
    for _, name in ipairs(names) do
        if m[name] and m[name] ~= "" then
            pieces[#pieces + 1] = piece(name, m[name])
        end
    end
    return table.concat(pieces, "&")
end

-- Adds one parameter of a query to `fields` when it was carried -> whether its name says so.
function carry.take(fields, name, value)
    local field = carried[name]
    if field and name == field then
        fields[field] = value
    elseif field and #value % 2 == 0 and not value:find("%X") then
        fields[field] = url.decode((value:gsub("..", "%%%0")))
    end
    return field ~= nil
end

-- What of a parsed query was carried: fields by name.
function carry.read(fields)
    local found = {}
    for name, value in pairs(fields) do
        carry.take(found, name, value)
    end
    return found
end

-- Is this name of a query one of ours?
function carry.is(name)
    return carried[name] ~= nil
end

return carry

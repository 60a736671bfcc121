-- Values that a policy can hold and pass on, but neither read nor change: `disk`,
-- `prefix "52:54:00"`. What one stands for is kept here, out of the policy's reach.

local sealed = {}

local contents = setmetatable({}, { __mode = "k" })

local locked = { __metatable = "moonboot" }

function locked.__newindex()
    error("this value cannot be changed", 2)
end

function locked.__index(value, key)
    local methods = contents[value].methods
    if methods and methods[key] then
        return methods[key]
    end
    error(string.format("this value has no field %s", tostring(key)), 2)
end

function locked.__tostring(value)
    return contents[value].text
end

-- `content.text` is how the value reads in a message: 'prefix "52:54:00"'; a policy can call
-- its `methods`.
function sealed.new(content)
    local value = setmetatable({}, locked)
    contents[value] = content
    return value
end

-- The content; nil for any other value.
function sealed.open(value)
    return contents[value]
end

return sealed

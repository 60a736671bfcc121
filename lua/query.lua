-- Query strings: what follows "?" in a request.

local url = require "url"

local query = {}

-- "a=1&b=%20" -> { a = "1", b = " " }. The first of a repeated name counts; a value that
-- is empty is none. What has no "=" belongs to the value before it: iPXE up to 2021 takes
-- the encoding off an "&" inside a value (a serial number "A&B") and cannot put it back.
function query.parse(text)
    local fields, last = {}, nil
    for part in (text or ""):gmatch("[^&]+") do
        local name, value = part:match("^([^=]+)=(.*)$")
        if name then
            name, last = url.decode(name), nil
            if value ~= "" and fields[name] == nil then
                fields[name], last = url.decode(value), name
            end
        elseif last then
            fields[last] = fields[last] .. "&" .. url.decode(part)
        end
    end
    return fields
end

return query

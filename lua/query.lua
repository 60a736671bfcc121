-- Query strings: what follows "?" in a request.

local url = require "url"

local query = {}

-- "a=1&b=%20" -> { a = "1", b = " " }. The first of a repeated name counts; what has
-- no name or no value is left out.
function query.parse(text)
    local fields = {}
    for part in (text or ""):gmatch("[^&]+") do
        local name, value = part:match("^([^=]+)=(.+)$")
        if name then
            name = url.decode(name)
            if fields[name] == nil then
                fields[name] = url.decode(value)
            end
        end
    end
    return fields
end

return query

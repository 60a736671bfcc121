-- Query strings: what follows "?" in a request.

local url = require "url"

local query = {}

-- "a=1&b=%20" -> { a = "1", b = " " }. The first of a repeated name counts; a value that
-- is empty is none. What has no "=" belongs to the value before it: iPXE up to 2021 takes
-- the encoding off an "&" inside a value (a serial number "A&B") and cannot put it back.
function query.parse(text)
    local fields, last, at = {}, nil, 1
    text = text or ""
    while at <= #text do
        local stop = text:find("&", at, true) or #text + 1
        local part = text:sub(at, stop - 1)
        local equals = part:find("=", 1, true)
        if equals and equals > 1 then
            local name = url.decode(part:sub(1, equals - 1))
            last = nil
            if equals < #part and fields[name] == nil then
                fields[name], last = url.decode(part:sub(equals + 1)), name
            end
        elseif last and part ~= "" then
            fields[last] = fields[last] .. "&" .. url.decode(part)
        end
        at = stop + 1
    end
    return fields
end

return query

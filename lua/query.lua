-- Query strings: what follows "?" in a request.

local host = host

local query = {}

-- "a=1&b=%20" -> { a = "1", b = " " }. The first of a repeated name counts; a value that
-- is empty is none. What has no "=" belongs to the value before it (core/query.h).
function query.parse(text)
    return host.query(text or "")
end

return query

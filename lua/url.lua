-- The little of RFC 3986 that rendering and routing need.

local host = host
local byte, find = string.byte, string.find

local url = {}

local UNRESERVED = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~"
local is_unreserved = host.only(UNRESERVED)
local is_path = host.only(UNRESERVED .. "/")
local is_clean = host.only(UNRESERVED .. "/:?#[]@!$&'()*+,;=%")

local function percent(char)
    return ("%%%02X"):format(char:byte())
end

-- Text as one component: all but unreserved characters encoded.
function url.encode(text)
    if is_unreserved(text) then
        return text
    end
    return (text:gsub("[^%w%-%._~]", percent))
end

-- A path: as `encode`, but its slashes stay.
function url.encode_path(path)
    if is_path(path) then
        return path
    end
    return (path:gsub("[^%w%-%._~/]", percent))
end

-- "%41" -> "A"; what is no escape stays as it is. A "+" is a plus: firmware puts plain
-- plus signs into queries ("i440FX + PIIX") and never writes a space that way.
function url.decode(text)
    if not find(text, "%", 1, true) then
        return text
    end
    return (text:gsub("%%(%x%x)", function(hex)
        return string.char(tonumber(hex, 16))
    end))
end

function url.is_absolute(text)
    return find(text, "^%a[%w+.-]*:") ~= nil
end

-- A whole URL as a policy wrote it: its structure stays, only what no URL may hold is
-- encoded.
function url.clean(text)
    if is_clean(text) then
        return text
    end
    return (text:gsub("[^%w%-%._~:/?#%[%]@!$&'()*+,;=%%]", percent))
end

local function resolve(base, name)
    if url.is_absolute(name) then
        return url.clean(name)
    elseif byte(name) == 47 then -- "/"
        return base .. url.clean(name)
    end
    return base .. "/assets/" .. url.encode_path(name)
end

-- What names became, by base: policies name few files, and are asked for them again and again.
local RESOLVED_MAX = 200
local resolved, n_resolved = {}, 0

-- The absolute URL of what a policy named: an absolute URL as it is, "/x" on this
-- server, anything else among its assets.
function url.resolve(base, name)
    local known = resolved[base]
    local found = known and known[name]
    if not found then
        if n_resolved == RESOLVED_MAX then
            resolved, n_resolved, known = {}, 0, nil
        end
        found, known = resolve(base, name), known or {}
        known[name], resolved[base], n_resolved = found, known, n_resolved + 1
    end
    return found
end

return url

-- `http.client { base = "http://cmdb.lab" }`: asking other servers, from functions that may wait.

local json = require "json"
local problems = require "problems"
local reader = require "reader"
local sandbox = require "sandbox"
local url = require "url"
local void = require "void"
local waits = require "waits"
local words = require "words"

local http = {}

local keys, cache_keys = words.keys "HttpClient", words.keys "HttpCache"

local KB = 1024

-- What a client of a policy is behind its metatable.
local clients = setmetatable({}, { __mode = "k" })

local function wrong(text, ...)
    error("http.client: " .. string.format(text, ...), 0)
end

local function text(options, key, expected)
    local value = options[key]
    if value ~= nil and (type(value) ~= "string" or value == "") then
        wrong("%s: found %s, expected %s", key, reader.show(value), expected)
    end
    return value
end

local function number(options, key, default, least, most)
    local value = options[key]
    if value == nil then
        return default
    elseif type(value) ~= "number" or not (value >= least and value <= most) then
        wrong("%s: found %s, expected a number from %g to %g", key, reader.show(value), least, most)
    end
    return value
end

local function check_keys(options, known, where)
    for key in pairs(options) do
        if not known[key] then
            wrong("unknown key %s%s%s", problems.show(key), where, problems.hint(key, known))
        end
    end
end

local function read_headers(value)
    local list = {}
    if value ~= nil and type(value) ~= "table" then
        wrong("headers: found %s, expected names and values", reader.show(value))
    end
    for name, content in pairs(value or {}) do
        if type(name) ~= "string" or not name:find "^[%w!#$%%&'*+.^_`|~-]+$" then
            wrong("headers: found the name %s", reader.show(name))
        elseif type(content) ~= "string" or content:find "[%c]" then
            wrong("headers.%s: found %s, expected text on one line", name, reader.show(content))
        end
        -- curl's way of writing a field without a value
        list[#list + 1] = content == "" and name .. ";" or name .. ": " .. content
    end
    table.sort(list)
    return list
end

local function read_cache(value)
    if value == nil then
        return nil
    elseif type(value) ~= "table" then
        wrong("cache: found %s, expected { ttl = seconds }", reader.show(value))
    end
    check_keys(value, cache_keys, " in cache")
    if value.key ~= nil and type(value.key) ~= "function" then
        wrong("cache.key: found %s, expected a function of the URL", reader.show(value.key))
    end
    if value.ttl == nil then
        wrong("cache has no ttl")
    end
    return { ttl = number(value, "ttl", nil, 0, 1e7), stale = number(value, "stale_if_error", 0, 0, 1e7),
             key = value.key }
end

-- Reads the table behind the word.
local function read(options)
    check_keys(options, keys, "")
    local base = text(options, "base", "a URL")
    if base and not base:find "^https?://[^%s]+$" then
        wrong("base: found %s, expected a URL that begins with http:// or https://", problems.show(base))
    end
    if options.verify ~= nil and type(options.verify) ~= "boolean" then
        wrong("verify: found %s, expected true or false", reader.show(options.verify))
    end
    return {
        base = base and base:gsub("/+$", ""), headers = read_headers(options.headers),
        cache = read_cache(options.cache),
        wait = {
            kind = "http", timeout = number(options, "timeout", 5, 0.001, 60), insecure = options.verify == false,
            max = number(options, "max_kb", 1024, 1, 65536) * KB, redirects = number(options, "redirects", 5, 0, 20),
            proxy = text(options, "proxy", "a proxy's URL"), unix = text(options, "unix", "the path of a socket"),
            ca = text(options, "ca", "certificates in PEM"), cert = text(options, "cert", "a certificate in PEM"),
            private = text(options, "key", "a key in PEM"),
        },
    }
end

-- "/hosts/%s" and its values -> the URL, and how many values there were.
local function fill(client, word, path, values)
    if type(path) ~= "string" then
        error(string.format("%s: found %s, expected a path", word, reader.show(path)), 0)
    end
    local n = 0
    local filled = path:gsub("%%(.?)", function(mark)
        if mark == "%" then
            return "%"
        elseif mark ~= "s" then
            return nil -- as it stands: %20
        end
        n = n + 1
        local value = values[n]
        if type(value) ~= "string" and type(value) ~= "number" then
            error(string.format("%s %s: found %s for the %%s that is number %d", word, problems.show(path),
                                reader.show(value), n), 0)
        end
        return (url.encode(tostring(value)))
    end)
    if filled:find "^https?://" then
        return filled, n
    elseif not client.base then
        error(string.format("%s: %s is no URL, and the client has no base", word, problems.show(path)), 0)
    end
    return client.base .. (filled:sub(1, 1) == "/" and "" or "/") .. filled, n
end

local function body_of(word, value)
    if value == nil or type(value) == "string" then
        return value
    end
    local encoded, problem = json.encode(value)
    if not encoded then
        error(word .. ": " .. problem, 0)
    end
    return encoded, "application/json"
end

-- How a client gets to its server, and as whom: part of what it caches by.
local function way_of(wait)
    local parts = { tostring(wait.insecure) }
    for i, name in ipairs { "proxy", "unix", "ca", "cert", "private" } do
        parts[i + 1] = wait[name] or ""
    end
    return table.concat(parts, "\0")
end

-- What a caller makes of an answer -> value | nil, why not, status.
local function result(wait, answer, problem)
    local where = wait.method .. " " .. wait.url
    if not answer then
        return nil, where .. ": " .. tostring(problem)
    elseif answer.status < 200 or answer.status > 299 then
        return nil, string.format("%s: status %d", where, answer.status), answer.status
    end
    local kind = (answer.type or ""):lower():match "^[^;%s]*"
    if kind ~= "application/json" and not kind:find "%+json$" then
        return answer.body, nil, answer.status
    end
    local value, why = json.decode(answer.body)
    if why then
        return nil, where .. ": " .. why, answer.status
    end
    return value, nil, answer.status
end

local function ask(client, method, word, with_body, path, ...)
    local values = { ... }
    local address, n = fill(client, word, path, values)
    local wait = { method = method, url = address, headers = { unpack(client.headers) } }
    for key, value in pairs(client.wait) do
        wait[key] = value
    end
    local kind
    if with_body then
        wait.body, kind = body_of(word, values[n + 1])
        wait.body = wait.body or ""
        n = n + 1
    end
    if kind then
        table.insert(wait.headers, "Content-Type: " .. kind)
    end
    if select("#", ...) > n then
        error(string.format("%s %s: there are %d values, and %d are wanted", word, problems.show(path),
                            select("#", ...), n), 0)
    end
    if client.cache and method == "GET" then
        local key = client.cache.key and client.cache.key(address) or address
        if type(key) ~= "string" then
            error(string.format("cache.key: found %s, expected text", reader.show(key)), 0)
        end
        -- Who asks with other headers, or by another way, may be told something else.
        wait.key = table.concat(client.headers, "\n") .. "\n" .. way_of(client.wait) .. "\n" .. key
        wait.ttl, wait.stale = client.cache.ttl, client.cache.stale
    end
    return result(wait, waits.ask("http", wait))
end

local methods = {}
for name, with_body in pairs { get = false, head = false, delete = false, post = true, put = true, patch = true } do
    local word = "http: " .. name
    methods[name] = sandbox.placed(function(client, ...)
        local content = clients[client]
        if not content then
            error(string.format("%s: call it as client:%s(…)", word, name), 0)
        end
        return ask(content, name:upper(), word, with_body, ...)
    end)
end

local Client = { __metatable = "http.client" }

function Client.__index(_, key)
    if not methods[key] then
        error(string.format("an http.client has no method %s%s", problems.show(key), problems.hint(key, methods)), 2)
    end
    return methods[key]
end

function Client.__newindex()
    error("this value cannot be changed", 2)
end

function http.words()
    return {
        http = {
            client = sandbox.placed(function(options)
                if options == void.value then
                    return options
                elseif type(options) ~= "table" then
                    wrong("found %s, expected { base = \"http://…\" }", reader.show(options))
                end
                local client = setmetatable({}, Client)
                clients[client] = read(options)
                return client
            end),
        },
    }
end

return http

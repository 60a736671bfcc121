-- `state.get("rollout")`: what a policy remembers. Deciding changes nothing: it is written where
-- something has happened, in `on` and in `serve` when a machine POSTs.

local json = require "json"
local reader = require "reader"
local sandbox = require "sandbox"
local store = require "store"

local state = {}

-- What policies call "x" is the store's "state/x".
local SPACE = "state/"

local MOST_ATTEMPTS = 100

-- Coroutines whose policy code may write, each with the list that it emits events to (events.lua).
local writers = setmetatable({}, { __mode = "k" })

-- What runs here from now on may write, and emit to that list; false: it may not.
function state.allow(emitted)
    writers[coroutine.running()] = emitted or nil
end

-- That list; false: what runs here may not write.
function state.allowed()
    return writers[coroutine.running()] or false
end

local function check(l, word, key)
    if l.loading then
        error(word .. ": only in a function, when the policy is loaded", 0)
    elseif type(key) ~= "string" or key == "" or key:find "%c" or #key > store.KEY_MAX - #SPACE then
        error(string.format("%s: found %s, expected a key: text of 1 to %d bytes", word, reader.show(key),
                            store.KEY_MAX - #SPACE), 0)
    end
    return SPACE .. key
end

local function check_write(word, options)
    if not state.allowed() then
        error(word .. ": deciding changes nothing; write in on, or in serve when request.method is POST", 0)
    elseif options == nil then
        return nil
    elseif type(options) ~= "table" then
        error(string.format("%s: found %s, expected { ttl = seconds }", word, reader.show(options)), 0)
    end
    for name in pairs(options) do
        if name ~= "ttl" then
            error(string.format("%s: there is no option %s", word, reader.show(name)), 0)
        end
    end
    local ttl = options.ttl
    if ttl ~= nil and not (type(ttl) == "number" and ttl > 0 and ttl <= 3e9) then
        error(string.format("%s: ttl: found %s, expected seconds", word, reader.show(ttl)), 0)
    end
    return ttl
end

local function encode(word, value)
    local text, problem = json.encode(value)
    if not text then
        error(string.format("%s: %s", word, problem), 0)
    end
    return text
end

local function get(l, key)
    local text = l.state.store:get(check(l, "state.get", key))
    if text then
        return (json.decode(text))
    end
end

local function write(l, change)
    local version, problem = l.state.store:write(change)
    if not version then
        return nil, problem
    end
    return true
end

local function set(l, key, value, options)
    key = check(l, "state.set", key)
    local ttl = check_write("state.set", options)
    if value == nil then
        error("state.set: found no value; to forget one: state.delete(key)", 0)
    end
    return write(l, { key = key, text = encode("state.set", value), ttl = ttl })
end

local function delete(l, key)
    key = check(l, "state.delete", key)
    check_write "state.delete"
    return write(l, { key = key })
end

-- Again, when another has written in between.
local function update(l, key, change, options)
    key = check(l, "state.update", key)
    local ttl = check_write("state.update", options)
    if type(change) ~= "function" then
        error(string.format("state.update: found %s, expected a function of the value", reader.show(change)), 0)
    end
    for _ = 1, MOST_ATTEMPTS do
        local text, version = l.state.store:get(key)
        local value = change(text and json.decode(text))
        local written, problem = l.state.store:write {
            key = key, text = value ~= nil and encode("state.update", value) or nil, ttl = ttl,
            version = version or 0,
        }
        if written then
            return value == nil and json.null or value
        elseif written == nil then
            return nil, problem
        end
    end
    return nil, "others write there all the time"
end

local function each(l, prefix)
    prefix = prefix == nil and SPACE or check(l, "state.each", prefix)
    local list, i = l.state.store:list(prefix), 0
    return function()
        i = i + 1
        if list[i] then
            return list[i].key:sub(#SPACE + 1), (json.decode(list[i].text))
        end
    end
end

function state.words(l)
    local library = {}
    for name, f in pairs { get = get, set = set, delete = delete, update = update, each = each } do
        library[name] = sandbox.placed(function(...)
            return f(l, ...)
        end)
    end
    return { state = library }
end

return state

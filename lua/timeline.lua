-- What has happened to each machine: a record in the store, by which it is known again.
--
-- A record is { mac =, uuid =, serial =, events = list of { name =, time =, client =, from = } }, the
-- latest event last; `from` is "machine" or "operator".

local json = require "json"

local timeline = {}

local SPACE = "machine/"
local MOST_EVENTS = 50
local MOST_ATTEMPTS = 100

-- A machine's key in the store; nil when nothing is known by which it could be known again.
local function key_of(m)
    local who = m.mac or m.uuid or m.serial
    return who and who ~= "" and SPACE .. tostring(who) or nil
end

local function read(text)
    local record = text and json.decode(text)
    return type(record) == "table" and record or { events = {} }
end

-- Adds an event to the record of this machine, if it can have one -> true | nil, problem. May wait.
function timeline.note(store, m, event)
    local key = key_of(m)
    if not key then
        return true
    end
    for _ = 1, MOST_ATTEMPTS do
        local text, version = store:get(key)
        local record = read(text)
        for _, name in ipairs { "mac", "uuid", "serial" } do
            record[name] = m[name] or record[name]
        end
        table.insert(record.events, { name = event.name, time = event.time, client = event.client,
                                      from = event.operator and "operator" or "machine" })
        while #record.events > MOST_EVENTS do
            table.remove(record.events, 1)
        end
        local written, problem = store:write { key = key, text = json.encode(record), version = version or 0 }
        if written then
            return true
        elseif written == nil then
            return nil, problem
        end
    end
    return nil, "others write there all the time"
end

-- The record of a machine | nil.
function timeline.get(store, m)
    local key = key_of(m)
    local text = key and store:get(key)
    return text and read(text) or nil
end

-- All records, by their keys.
function timeline.all(store)
    local list = {}
    for i, entry in ipairs(store:list(SPACE)) do
        list[i] = read(entry.text)
    end
    return list
end

return timeline

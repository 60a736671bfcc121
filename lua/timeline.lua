-- What has happened to each machine: a record in the store, by which it is known again.
--
-- A record is { mac =, uuid =, serial =, client = its last address, kernel = what it was told to fetch
-- below /assets/, events = list }, the latest event last. An event is { name =, time =, client =, from =
-- "machine", "operator", "policy" or "boot" }; a stage of its boot (stages.lua) also has `what`, and
-- `count` and `last` when it was seen again and again.

local bounds = require "store"
local identity = require "identity"
local json = require "json"
local machine = require "machine"
local unicode = require "unicode"

local host = host

local timeline = {}

-- The stages of a boot.
timeline.stages = {
    ["boot:offered"] = true, ["boot:script"] = true, ["boot:kernel"] = true, ["boot:document"] = true,
}

local SPACE = "machine/"
local MOST_EVENTS, MOST_STAGES = 50, 24 -- of a machine
local MOST_ATTEMPTS = 100
local KEPT = 30 * 86400 -- seconds that a machine is remembered of which only stages are known
local SAME = 600        -- seconds in which a stage that is seen again is the same one

-- Fields by which a machine is known again.
local NAMES = { "mac", "uuid", "serial" }

-- A machine's key in the store; nil when nothing is known by which it could be known again, or what is has
-- no room there.
function timeline.key(m)
    local who = m.mac or m.uuid or m.serial
    local key = who and who ~= "" and SPACE .. tostring(who)
    return key and #key <= bounds.KEY_MAX and key or nil
end

local HEX = "serial-hex="

-- A machine's id, what follows in its key, as who asks is told it: a serial number that is no text in
-- hexadecimal.
function timeline.shown(id)
    if unicode.clean(id) == id and id:sub(1, #HEX) ~= HEX then
        return id
    end
    return HEX .. identity.hex(id)
end

-- The id that is shown so.
function timeline.id(shown)
    local hex = shown:match "^serial%-hex=(.+)$"
    return hex and identity.bytes(hex) or shown
end

-- A record from its text, or a new one.
function timeline.read(text)
    local record = text and json.decode(text)
    return type(record) == "table" and type(record.events) == "table" and record or { events = {} }
end

local function is_stage(event)
    return event.from == "boot"
end

-- Drops the oldest of those that are, or are not, stages until there are `most`.
local function trim(events, stages, most)
    local n = 0
    for _, event in ipairs(events) do
        n = n + (is_stage(event) == stages and 1 or 0)
    end
    for i = 1, #events do
        while n > most and events[i] and is_stage(events[i]) == stages do
            table.remove(events, i)
            n = n - 1
        end
    end
end

-- Adds an event to a record -> whether it is a new one, not a stage that is seen once more.
function timeline.add(record, m, event)
    local events = record.events
    for _, name in ipairs(NAMES) do
        record[name] = m[name] or record[name]
    end
    local last = events[#events]
    if is_stage(event) and last and is_stage(last) and last.name == event.name and last.what == event.what
        and event.time - (last.last or last.time) < SAME then
        last.count, last.last = (last.count or 1) + 1, event.time
        return false
    end
    events[#events + 1] = { name = event.name, time = event.time, client = event.client, from = event.from,
                            what = event.what }
    trim(events, true, MOST_STAGES)
    trim(events, false, MOST_EVENTS)
    return true
end

-- The record as a change of the store (store.lua). What machines and people have told stays.
function timeline.change(key, record, version)
    local ttl = KEPT
    for _, event in ipairs(record.events) do
        if not is_stage(event) then
            ttl = nil
        end
    end
    return { key = key, text = json.encode(record), ttl = ttl, version = version or 0 }
end

-- Adds an event to the record of this machine, if it can have one -> true | nil, problem. May wait.
function timeline.note(store, m, event)
    local key = timeline.key(m)
    if not key then
        return true
    end
    for _ = 1, MOST_ATTEMPTS do
        local text, version = store:get(key)
        local record = timeline.read(text)
        timeline.add(record, m, { name = event.name, time = event.time, client = event.client, what = event.what,
                                  from = event.from or event.operator and "operator" or "machine" })
        local written, problem = store:write(timeline.change(key, record, version))
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
    local key = timeline.key(m)
    local text = key and store:get(key)
    return text and timeline.read(text) or nil
end

-- "52:54:00:12:34:56" in any notation, a UUID, "serial=R5" or "serial-hex=5235" -> machine | nil, problem.
-- What is recorded of the machine is known too.
function timeline.machine(store, text)
    local fields = {}
    local serial, id = text:match "^serial=(.+)$", timeline.id(text)
    if serial or id ~= text then
        fields.serial = serial or id
    elseif host.mac(text) then
        fields.mac = text
    elseif host.uuid(text) then
        fields.uuid = text
    else
        return nil, string.format('"%s" is neither a MAC address nor a UUID, nor serial=…', text)
    end
    local m = machine.new(fields, "ipxe")
    local record = timeline.get(store, m)
    for _, name in ipairs(NAMES) do
        m[name] = m[name] or record and record[name] or nil
    end
    return m
end

local AFTER_SCRIPT = { ["boot:kernel"] = true, ["boot:document"] = true }

-- The stage that a machine has not got past for so many seconds; nil: it is well, or on its disk. It
-- was told a kernel of ours and has not fetched it, or has fetched it and not been heard of since: no
-- event came after it.
function timeline.stuck(record, now, seconds)
    local events = record.events
    local last = events[#events]
    if not last or not is_stage(last) or now - (last.last or last.time) < seconds then
        return nil
    elseif last.name == "boot:script" then
        return record.kernel and last.name or nil
    elseif not AFTER_SCRIPT[last.name] then
        return nil
    end
    for i = #events, 1, -1 do
        if not is_stage(events[i]) then
            return nil
        elseif events[i].name == "boot:kernel" then
            return last.name
        elseif events[i].name == "boot:script" then
            return record.kernel and last.name or nil
        end
    end
    return nil
end

-- Some machines in the order of their ids, those behind `after` (nil: from the first on) -> list of {
-- id =, text = the record as JSON, ends = when it is forgotten, if it is }, and the id behind which there
-- may be more. At once.
function timeline.page(store, after)
    local list = {}
    local page, last = store:page(SPACE, after and SPACE .. after)
    for i, entry in ipairs(page) do
        list[i] = { id = entry.key:sub(#SPACE + 1), text = entry.text, ends = entry.ends }
    end
    return list, last and last:sub(#SPACE + 1)
end

return timeline

-- What is known of machines, for who asks: the control socket, GET /api/v1/machines, and a policy's
-- `machines`. The records are timeline.lua's.

local json = require "json"
local problems = require "problems"
local query = require "query"
local reader = require "reader"
local sandbox = require "sandbox"
local timeline = require "timeline"
local unicode = require "unicode"
local url = require "url"
local waits = require "waits"

local host = host

local known = {}

local MOST = 256         -- machines of a page
local MOST_BYTES = 262144 -- of it, about

-- A record's text with the machine's id before all else, and where it is stuck.
local function with_id(id, text, stuck)
    return '{"id":' .. json.quote(timeline.shown(id)) .. (stuck and ',"stuck":' .. json.quote(stuck) or "") .. ","
           .. unicode.clean(text):sub(2)
end

-- A page as JSON: { "machines": […], "next": the id to go on behind, or null }. `asked`: after = id,
-- limit = how many, stuck = seconds; all may be nil. Of the stuck there may be fewer on a page, or none.
local function page(store, asked)
    local list, after = timeline.page(store, asked.after)
    local found, bytes, limit, now = {}, 0, math.min(asked.limit or MOST, MOST), host.time()
    for i, entry in ipairs(list) do
        local stuck = asked.stuck and timeline.stuck(timeline.read(entry.text), now, asked.stuck)
        if stuck or not asked.stuck then
            found[#found + 1] = with_id(entry.id, entry.text, stuck)
            bytes = bytes + #entry.text
        end
        if #found == limit or bytes > MOST_BYTES then
            after = (list[i + 1] or after) and entry.id
            break
        end
    end
    return string.format('{"machines":[%s],"next":%s}', table.concat(found, ","),
                         after and json.quote(timeline.shown(after)) or "null")
end

local function number(text, least, most)
    local value = text and text:find "^%d+$" and tonumber(text)
    return value and value >= least and value <= most and value or nil
end

local KEYS = { after = true, limit = true, stuck = true }

-- What is asked for, from texts by name -> for `page` | nil, problem.
local function read(texts)
    for name in pairs(texts) do
        if not KEYS[name] then
            return nil, string.format("unknown parameter %s%s", problems.show(name), problems.hint(name, KEYS))
        end
    end
    local limit, stuck = number(texts.limit, 1, MOST), number(texts.stuck, 0, 1e9)
    if texts.limit and not limit then
        return nil, string.format("limit: found %s, expected a number from 1 to %d", problems.show(texts.limit), MOST)
    elseif texts.stuck and not stuck then
        return nil, string.format("stuck: found %s, expected seconds", problems.show(texts.stuck))
    end
    return { after = texts.after and timeline.id(texts.after), limit = limit, stuck = stuck }
end

-- One machine as JSON | nil, problem, and whether there is no such machine.
function known.one(policy, text)
    local store = policy.state.store
    local m, problem = timeline.machine(store, text)
    if not m then
        return nil, problem
    end
    local key = timeline.key(m)
    if not key then
        return nil, "no machine is known by " .. problems.show(text), true
    end
    local record = store:get(key)
    if not record then
        return nil, "nothing is known of " .. timeline.shown(key:match "/(.*)$"), true
    end
    return with_id(key:match "/(.*)$", record)
end

-- A page as JSON, asked for by "after=ID limit=N stuck=SECONDS", each percent-encoded | nil, problem.
function known.list(policy, arguments)
    local texts = {}
    for name, value in arguments:gmatch "(%S-)=(%S+)" do
        texts[name] = url.decode(value)
    end
    local asked, problem = read(texts)
    if not asked then
        return nil, problem
    end
    return page(policy.state.store, asked)
end

local function refuse(status, problem)
    return { body = unicode.clean(json.encode { error = problem }) .. "\n", status = status, type = "application/json" }
end

-- GET /api/v1/machines and /api/v1/machines/ID -> reply (core/README.md).
function known.answer(policy, request)
    local id = request.path:match "^/api/v1/machines/?(.*)$"
    local body, problem, none
    if request.method == "POST" then
        return refuse(405, "only GET")
    elseif id ~= "" then
        body, problem, none = known.one(policy, id)
    else
        local asked
        asked, problem = read(query.parse(request.query))
        body = asked and page(policy.state.store, asked)
    end
    if not body then
        return refuse(none and 404 or 400, problem)
    end
    return { body = body .. "\n", status = 200, type = "application/json" }
end

--- The policy's words ------------------------------------------------------------------------

local function check(l, word)
    if l.loading then
        error(word .. ": only in a function, when the policy is loaded", 0)
    end
    return l.state.store
end

local function get(l, who)
    local store = check(l, "machines.get")
    if type(who) ~= "string" then
        error(string.format("machines.get: found %s, expected a MAC address, a UUID or serial=…", reader.show(who)), 0)
    end
    local m, problem = timeline.machine(store, who)
    if not m then
        error("machines.get: " .. problem, 0)
    end
    return timeline.get(store, m)
end

-- Between pages others have their turn, where that is possible.
local function stuck(l, seconds)
    local store = check(l, "machines.stuck")
    if type(seconds) ~= "number" or seconds ~= seconds or seconds < 0 then
        error(string.format("machines.stuck: found %s, expected seconds", reader.show(seconds)), 0)
    end
    local list, now, after = {}, host.time(), nil
    repeat
        local entries
        entries, after = timeline.page(store, after)
        for _, entry in ipairs(entries) do
            local record = timeline.read(entry.text)
            local at = timeline.stuck(record, now, seconds)
            if at then
                local last = record.events[#record.events]
                list[#list + 1] = { mac = record.mac, uuid = record.uuid, serial = record.serial, at = at,
                                    since = last.last or last.time }
            end
        end
        if after and waits.may() then
            waits.ask("machines.stuck", { kind = "sleep", seconds = 0 })
        end
    until not after
    return list
end

function known.words(l)
    return {
        machines = {
            get = sandbox.placed(function(who)
                return get(l, who)
            end),
            stuck = sandbox.placed(function(seconds)
                return stuck(l, seconds)
            end),
        },
    }
end

return known

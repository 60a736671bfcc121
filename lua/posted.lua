-- Events that come by HTTP: `POST /event/installed?token=…`. The token says who the machine is, and
-- only who was told it (`{{event "installed"}}`) can know it.

local events = require "events"
local identity = require "identity"
local machine = require "machine"
local once = require "once"
local problems = require "problems"
local query = require "query"
local spent = require "spent"
local token = require "token"
local waits = require "waits"

local host = host

local posted = {}

-- What an event has to tell of a machine: that by which it is known again.
local function brief(m, onces)
    local who = { label = {}, stage = "ipxe", firmware = "ipxe", mac = m.mac, uuid = m.uuid, serial = m.serial }
    for _, which in ipairs(onces) do
        local field = which.by
        who[field.name] = m[field.name]
        if field.label then
            who.label[field.label] = m[field.name] or nil
        end
    end
    return who
end

-- The URL that says so of this machine, `how`: "once" for one that is good once | nil, problem.
function posted.url(m, onces, name, how)
    if not once.is_event(name) then
        return nil, "expected an event's name: up to 64 letters, digits and _ . -"
    elseif how ~= nil and how ~= "once" then
        return nil, ('and %s behind it, expected "once" or nothing'):format(problems.show(how))
    end
    local who = identity.write(brief(m, onces))
    if who == "~" then
        return nil, "nothing is known of the machine by which it could be known again"
    end
    who = token.add(who, "event", name, m.client, how ~= nil)
    return string.format("%s/event/%s?token=%s", m.base or "", name, who)
end

local function problem_of(who, name, client)
    if host.token and not who:find("~token=", 1, true) then
        return "there is no token" -- whatever the site says of documents: this changes what boots
    end
    return token.problem(who, "event", name, client)
end

-- request, name -> reply, info (core/README.md).
function posted.answer(policy, request, name)
    local params = query.parse(request.query)
    local who = params.token or ""
    params.token = nil
    local fields = identity.read(who:match "^(.-)~token=" or who) or { label = {} }
    local function refused(reason)
        return { machine = fields.mac or fields.uuid or request.client, verdict = "refused", stage = "event",
                 error = reason }
    end
    if request.method ~= "POST" then
        return { body = "only POST\n", status = 405 }
    elseif not once.is_event(name) then
        return { body = "an event's name has up to 64 letters, digits and _ . -\n", status = 400 }
    end
    local problem = problem_of(who, name, request.client)
    if problem then
        return token.refusal(), refused(string.format("%s posted %s: %s", request.client or "?", name, problem))
    end
    local m
    m, problem = machine.new(fields, "ipxe")
    if not m or not (m.mac or m.uuid or m.serial) then
        problem = problem or "the token says of no machine that it is its"
        return { body = problem .. "\n", status = 400 }, refused(problem)
    end
    m.base, m.client = request.base, request.client
    local use, at_fault
    use, problem, at_fault = spent.use(policy.state.store, who, name, request.client)
    if use == nil and not at_fault then
        return token.refusal(), refused(string.format("%s posted %s: %s", request.client or "?", name, problem))
    end
    local info = { machine = machine.name(m), verdict = "event " .. name, stage = "event" }
    local ok = use and use.done -- and the answer was lost
    if use ~= nil and not ok then
        ok, problem = events.fire(policy, m, {
            name = name, time = host.time(), params = params, body = request.body, client = request.client,
        })
    end
    local unknown = events.unknown(policy, name)
    if ok and unknown then
        host.log("warn", string.format("%s posted %s: %s", machine.name(m), name, unknown))
    end
    if use and not use.done then
        waits.guard(ok and spent.done or spent.release, policy.state.store, use)
    end
    if ok then
        return { body = "ok\n", status = 200 }, info
    end
    info.error = problem
    return { error = "the event was not taken in: see the log", reason = "failed" }, info
end

return posted

-- `serve "/path/:name" (function (request) … end)`: HTTP paths of a policy's own.
--
-- A route is { name =, parts =, call =, display =, line = }. A part is { text = } (that
-- segment), { name = } (any segment but an empty one), or, at the end, { name =, rest = true }
-- (all that remains).

local blame = require "blame"
local decision = require "decision"
local problems = require "problems"
local reader = require "reader"
local sandbox = require "sandbox"
local state = require "state"
local void = require "void"
local waits = require "waits"
local words = require "words"

local serve = {}

local show = problems.show

-- What no policy can have: files, events, and what watches over the service.
local reserved = { assets = true, event = true, healthz = true, readyz = true, metrics = true }

-- "/a/:b/*c" -> { { text = "a" }, { name = "b" }, { name = "c", rest = true } } | nil, what
-- is wrong.
local function parse(pattern)
    if pattern:sub(1, 1) ~= "/" then
        return nil, 'expected a path, such as "/hosts/:name"'
    end
    local parts, names = {}, {}
    for segment in (pattern:sub(2) .. "/"):gmatch "([^/]*)/" do
        local mark, name = segment:match "^([:*])(.*)$"
        local last = parts[#parts]
        if last and last.rest then
            return nil, string.format("nothing can follow *%s", last.name)
        elseif not mark then
            parts[#parts + 1] = { text = segment }
        elseif not name:find "^[%a_][%w_]*$" then
            return nil, string.format('"%s" is followed by a name of letters, digits and _', mark)
        elseif names[name] then
            return nil, string.format("there are two %s", show(name))
        else
            names[name] = true
            parts[#parts + 1] = { name = name, rest = mark == "*" }
        end
    end
    if reserved[parts[1].text] then
        return nil, string.format("/%s is moonboot's own", parts[1].text)
    end
    return parts
end

-- The values of the names of these parts in a path; nil when it is another path.
local function params(parts, path)
    local found, at = {}, 2
    for i, part in ipairs(parts) do
        if part.rest then
            found[part.name] = path:sub(at)
            return found
        end
        local segment = path:match("^[^/]*", at)
        if part.name and segment ~= "" then
            found[part.name] = segment
        elseif part.text ~= segment then
            return nil
        end
        at = at + #segment + 1
        if at > #path + 1 then
            return i == #parts and found or nil
        end
    end
    return nil
end

-- The route of a path and the values of its names; nil when there is none.
function serve.find(routes, path)
    if #routes == 0 or reserved[path:match "^/([^/]*)"] then
        return nil
    end
    for i = 1, #routes do
        local found = params(routes[i].parts, path)
        if found then
            return routes[i], found
        end
    end
end

local known = words.keys "Response"

-- What a function answered, as a reply (core/README.md); throws when it is none.
local function reply_of(value)
    if type(value) == "string" then
        return { body = value, status = 200 }
    elseif value == nil then
        return { error = "not found", reason = "not-found" }
    elseif type(value) ~= "table" then
        error("malformed answer: found " .. reader.show(value) .. ", expected text, a table or nothing", 0)
    end
    for key in next, value do
        if not known[key] then
            error(string.format("malformed answer: unknown key %s%s", show(key),
                                problems.hint(key, known)), 0)
        end
    end
    local body, status, kind, asset = value.body, value.status, value.type, value.asset
    if asset ~= nil and (body ~= nil or status ~= nil or type(asset) ~= "string" or asset == "") then
        error("malformed answer: asset is the name of a file, without body and status", 0)
    elseif asset == nil and type(body) ~= "string" then
        error(string.format("malformed answer: body is %s, expected text", reader.show(body)), 0)
    elseif kind ~= nil and (type(kind) ~= "string" or not kind:find "^[ -~]+$") then
        error(string.format("malformed answer: type is %s, expected a media type", reader.show(kind)), 0)
    elseif status ~= nil and (type(status) ~= "number" or status % 1 ~= 0 or status < 200 or status > 599) then
        error(string.format("malformed answer: status is %s, expected 200 to 599", reader.show(status)), 0)
    elseif asset then
        return { path = asset, root = "assets", type = kind }
    end
    return { body = body, status = status or 200, type = kind }
end

local fields = words.keys "Request"

local Request = { __metatable = "request" }

function Request.__index(_, key)
    if not fields[key] then
        error(string.format("a request has no field %s%s", show(key), problems.hint(key, fields)), 2)
    end
end

local function ask(route, request)
    local emitted = {}
    sandbox.reset()
    state.allow(request.method == "POST" and emitted)
    local value, problem = route.call(setmetatable(request, Request))
    state.allow(false)
    if value == nil and problem ~= nil then
        error(type(problem) == "string" and problem or show(problem), 0)
    end
    return reply_of(value), emitted
end

-- The reply of a route to a request, a table with what `fields` names, nil, and what it has emitted
-- (events.lua) | nil, message with its place.
function serve.answer(policy, route, request)
    local ok, reply, emitted = waits.guard(ask, route, request)
    if ok then
        return reply, nil, emitted
    end
    return nil, decision.locate(policy, route, reply)
end

function serve.words(l)
    local firsts = {}
    local function word(pattern)
        local file, line = blame.caller(l)
        blame.loading(l, "serve")
        if pattern == void.value then
            return void.value
        elseif type(pattern) ~= "string" then
            return blame.wrong(file, line, "serve: found %s, expected a path: serve \"/…\" (function…)",
                               reader.show(pattern))
        end
        local title = "serve " .. show(pattern)
        local parts, problem = parse(pattern)
        if not parts then
            blame.wrong(file, line, "%s: %s", title, problem)
        elseif firsts[pattern] then
            blame.wrong(file, line, "there is a %s already, %s", title,
                        blame.place(firsts[pattern], file))
        end
        firsts[pattern] = firsts[pattern] or { file = file, line = line }
        local waiting = { file = file, line = line, text = title .. " has no function" }
        l.waiting[waiting] = true
        return function(call)
            l.waiting[waiting] = nil
            if call == void.value then
                return
            elseif type(call) ~= "function" then
                blame.wrong(file, line, "%s: found %s, expected a function of the request", title,
                            reader.show(call))
            elseif parts then
                table.insert(l.routes, {
                    name = title, parts = parts, call = call, display = file.display, line = line,
                })
            end
        end
    end
    return { serve = word }
end

return serve

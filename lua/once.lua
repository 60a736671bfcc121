-- `once { "install", done_on = "installed", then_boot = disk }`: until an event says that it is
-- done, and again after another. What was done is in the store, a key a machine.

local machine = require "machine"
local problems = require "problems"
local reader = require "reader"
local void = require "void"
local words = require "words"

local once = {}

local keys = words.keys "Once"

-- What an event can be called.
function once.is_event(name)
    return type(name) == "string" and name:find "^[%w_.-]+$" ~= nil and #name <= 64
end

local function read_event(reading, body, key, default)
    local name = body[key]
    if name == nil then
        return default
    elseif name ~= void.value and not once.is_event(name) then
        reading:problem({ key }, "once.%s: found %s, expected an event's name: up to 64 letters, digits and _ . -",
                        key, reader.show(name))
        return nil
    end
    return name ~= void.value and name or nil
end

-- Reads the table behind the word; nil when it is wrong. `read`: choice.read. Each is in l.onces
-- from then on.
function once.reader(l)
    return function(reading, body, read)
        if not l.loading then
            reading:problem({}, "once: only while the policy loads, not in a function")
        end
        local named = {}
        for key, value in pairs(body) do
            if key ~= 1 then
                named[key] = value
            end
        end
        reading:keys({}, named, keys)
        if body[1] == nil then
            reading:problem({}, "once: found nothing to boot, expected once { \"profile\", … }")
        end
        if body.done_on == nil then
            reading:problem({}, "once has no done_on: which event says that it is done")
        end
        local done, again = read_event(reading, body, "done_on"), read_event(reading, body, "again_on", "reinstall")
        if done and done == again then
            reading:problem({ "again_on" }, "once.again_on: found %s, which is done_on", problems.show(again))
        end
        local field = machine.field("mac")
        if body.by ~= nil and reading:text({ "by" }, body.by, "the name of a field") then
            field = machine.field(body.by)
            if not field or field.type == "set" or field.type == "labels" then
                reading:problem({ "by" }, "once.by: %s", field and body.by .. " has several values"
                                                      or machine.unknown_field(body.by))
                field = nil
            end
        end
        local use = body[1] ~= nil and read(reading, { 1 }, body[1], false)
        local otherwise = { verdict = "disk" }
        if body.then_boot ~= nil then
            otherwise = read(reading, { "then_boot" }, body.then_boot, false)
        end
        if not (use and otherwise and done and again and field) then
            return nil
        end
        local content = { done = done, again = again, by = field, use = use, otherwise = otherwise,
                          state = l.state }
        table.insert(l.onces, content)
        return content
    end
end

-- With plans in place of choices, as `link` makes them | nil, problem.
function once.link(read, link)
    local linked = { done = read.done, by = read.by, state = read.state }
    for _, key in ipairs { "use", "otherwise" } do
        local problem
        linked[key], problem = link(read[key])
        if problem then
            return nil, problem
        end
    end
    return linked
end

local function key_of(which, value)
    return table.concat({ "once", which.done, which.by.name, tostring(value) }, "/")
end

-- The plan for this machine. nil and the field's name when that is not known yet; nil, nil and
-- why it cannot be said: to do once more what wipes a disk is never the answer.
function once.pick(linked, m)
    local field = linked.by
    local value = m[field.name]
    if value == nil and field.late[m.stage] then
        return nil, field.name
    elseif not value or value == "" then
        return nil, nil, string.format("once: a machine without %s cannot be known again", field.name)
    end
    local ok, done = pcall(linked.state.store.get, linked.state.store, key_of(linked, value))
    if not ok then
        return nil, nil, "once: " .. tostring(done)
    end
    return done and linked.otherwise or linked.use
end

-- What an event of this machine means for those in the list -> true | nil, problem. May wait.
function once.note(onces, store, name, m, at)
    for _, which in ipairs(onces) do
        local value = m[which.by.name]
        local done = name == which.done
        if (done or name == which.again) and (not value or value == "") then
            return nil, string.format("once: a machine without %s cannot be known again", which.by.name)
        end
        if done or name == which.again then
            local written, problem = store:write {
                key = key_of(which, value), text = done and string.format('{"at":%d}', at) or nil,
            }
            if not written then
                return nil, problem
            end
        end
    end
    return true
end

return once

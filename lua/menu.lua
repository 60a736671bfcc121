-- `menu { title = "…", timeout = 10, default = 1, { "label", what it boots }, … }`.

local problems = require "problems"
local reader = require "reader"
local words = require "words"

local menu = {}

local keys = words.keys "Menu"
local entry_shape = '{ "label", what it boots }'

local function read_entry(reading, i, value, read)
    local path = { i }
    local entry = {}
    if not reading:is(path, value, "table", entry_shape) then
        return entry
    elseif #value ~= 2 or next(value, 2) ~= nil and type(next(value, 2)) ~= "number" then
        reading:problem(path, "%sfound %d values, expected %s", reading.lead(path), #value, entry_shape)
        return entry
    end
    entry.text = value[1]
    entry.label = reading:template(reader.within(path, 1), value[1], "a label")
    entry.chosen = read(reading, reader.within(path, 2), value[2], false)
    if entry.chosen and entry.chosen.menu then
        reading:problem(path, "%sfound a menu in a menu", reading.lead(path))
    end
    return entry
end

-- `default`, the number or the label of an entry, as a number.
local function read_default(reading, value, entries)
    if type(value) == "string" then
        local labels = {}
        for i, entry in ipairs(entries) do
            if entry.text then
                labels[entry.text] = labels[entry.text] or i
            end
        end
        if not labels[value] then
            reading:problem({ "default" }, "menu.default: there is no entry %s%s", problems.show(value),
                            problems.hint(value, labels))
        end
        return labels[value]
    elseif type(value) == "number" and not entries[value] then
        reading:problem({ "default" }, "menu.default: there is no entry %g", value)
    elseif type(value) ~= "number" then
        reading:is({ "default" }, value, "number", "the number or the label of an entry")
    end
    return value
end

-- Reads the table behind the word -> { title =, timeout = seconds or nil, default = number,
-- entries = list of { label =, chosen = choice } }; nil when it is wrong. `read`: choice.read.
function menu.read(reading, body, read)
    local named, entries, good = {}, {}, true
    for key, value in pairs(body) do
        if type(key) ~= "number" then
            named[key] = value
        end
    end
    reading:keys({}, named, keys)
    for i, value in ipairs(body) do
        entries[i] = read_entry(reading, i, value, read)
        good = good and entries[i].label ~= nil and entries[i].chosen ~= nil
    end
    if #entries == 0 then
        reading:problem({}, "menu has no entries, expected some %s", entry_shape)
        return nil
    end
    local timeout = body.timeout
    if timeout ~= nil and reading:is({ "timeout" }, timeout, "number", "seconds")
        and not (timeout >= 0 and timeout <= 86400) then
        reading:problem({ "timeout" }, "menu.timeout: found %g, expected seconds, up to a day", timeout)
    end
    local default = body.default == nil and 1 or read_default(reading, body.default, entries)
    local title = reading:template({ "title" }, body.title == nil and "Boot" or body.title)
    return good and title and default and {
        title = title, timeout = timeout, default = default, entries = entries,
    } or nil
end

return menu

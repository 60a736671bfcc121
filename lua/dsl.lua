-- The words of the policy language. While the policy loads, a word that is used wrongly
-- records the problem and goes on; in a function of the policy, later, it throws.

local blame = require "blame"
local choice = require "choice"
local dhcp_words = require "dhcp_words"
local events = require "events"
local files = require "files"
local http = require "http"
local inventory = require "inventory"
local json = require "json"
local known = require "known"
local menu = require "menu"
local once = require "once"
local parallel = require "parallel"
local problems = require "problems"
local profile = require "profile"
local reader = require "reader"
local rollout = require "rollout"
local rules = require "rules"
local sealed = require "sealed"
local serve = require "serve"
local state = require "state"
local template = require "template"
local void = require "void"
local waits = require "waits"

local dsl = {}

local wrong = blame.wrong
local answers = reader.answer("", "it")

-- For whoever asks later where the keys of a definition stand.
local function keep(l, read, reading)
    if l.readings then
        read.display = reading.loader.display
        l.readings[read] = reading
    end
end

-- `word "name" { … }`, each name once.
local function definition(l, word, define)
    local firsts = {}
    local function take(name, body, at, at_line)
        if body == void.value then
            return nil
        elseif type(body) ~= "table" or sealed.open(body) then
            return wrong(at, at_line, "%s %s: found %s, expected { … }", word,
                         problems.show(name), reader.show(body))
        end
        define(reader.new(at, word, name, at_line), body, name)
        return nil
    end
    return function(name, ...)
        local file, line = blame.caller(l)
        blame.loading(l, word)
        if name == void.value then
            return void.value
        elseif type(name) ~= "string" then
            return wrong(file, line, '%s: found %s, expected a name: %s "name" { … }', word,
                         reader.show(name), word)
        elseif firsts[name] then
            wrong(file, line, "there is a %s %s already, %s", word, problems.show(name),
                  blame.place(firsts[name], file))
        end
        firsts[name] = firsts[name] or { file = file, line = line }
        if select("#", ...) > 0 then
            wrong(file, line, "%s %s {…} takes its table after the name, without a comma", word,
                  problems.show(name))
            return take(name, (...), file, line)
        end
        local waiting = { file = file, line = line,
                          text = string.format('%s %s has no { … }', word, problems.show(name)) }
        l.waiting[waiting] = true
        return function(body)
            local at, at_line = blame.caller(l)
            l.waiting[waiting] = nil
            return take(name, body, at, at_line)
        end
    end
end

-- `word "text"`: a value of the language.
local function with_text(l, word, make)
    return function(text)
        local file, line = blame.caller(l)
        if text == void.value then
            return void.value
        elseif type(text) ~= "string" then
            return wrong(file, line, '%s: found %s, expected text: %s "…"', word,
                         reader.show(text), word)
        end
        local content, problem = make(text, line, file)
        if not content then
            return wrong(file, line, "%s: %s", word, problem)
        end
        content.text = word .. " " .. problems.show(text)
        return sealed.new(content)
    end
end

-- `word { … }`: a verdict that offers others; `read` is that of its module.
local function with_table(l, word, read)
    return function(body)
        local file, line, certain = blame.caller(l)
        if body == void.value then
            return body
        elseif type(body) ~= "table" or sealed.open(body) then
            return wrong(file, line, "%s: found %s, expected { … }", word, reader.show(body))
        end
        local reading = l.loading and reader.new(file, word, nil, line)
        if not reading then
            local place = certain and string.format("%s:%d: ", file.display, line) or ""
            reading = reader.answer(place, word)
        end
        local content = read(reader.name_places(reading, word), body, choice.read)
        if not content then
            return void.value
        end
        return sealed.new { verdict = word, [word] = content, text = word .. " {…}" }
    end
end

local function matcher(l, word)
    return with_text(l, word, function(text)
        return { word = word, argument = text }
    end)
end

-- A verdict with a text, which may be a template only while the policy loads.
local function verdict(l, word, key)
    return with_text(l, word, function(text, line, file)
        local problem = text == "" and "found no text" or nil
        if problem then
            return nil, problem
        elseif not l.loading then
            return { verdict = word, [key] = answers:template({}, text) }
        end
        return { verdict = word, [key] = l.scope:text(text, line, file) }
    end)
end

-- `template "file"`: a document, read and checked while the policy loads.
local function template_word(l)
    return with_text(l, "template", function(name, line, file)
        if not l.loading then
            return nil, "only while the policy loads, not in a function"
        end
        local read, problem = template.read(l, name)
        if read then
            l.named_templates[read.name] = l.named_templates[read.name] or { file = file.display, line = line }
        end
        return read and { template = read }, problem
    end)
end

-- `range(first, last)`: numbers, or texts that a field makes sense of.
local function range(l)
    return function(...)
        local file, line = blame.caller(l)
        local bounds = { ... }
        for i = 1, select("#", ...) do
            if bounds[i] == void.value then
                return void.value
            end
        end
        local kind = type(bounds[1])
        if select("#", ...) ~= 2 or kind ~= "string" and kind ~= "number" or type(bounds[2]) ~= kind then
            return wrong(file, line, "range: expected two numbers, or two addresses: range(first, last)")
        end
        return sealed.new {
            word = "range", argument = bounds,
            text = string.format("range(%s, %s)", reader.show(bounds[1]), reader.show(bounds[2])),
        }
    end
end

-- `except(…)`: of a value, a list, a matcher or a function.
local function except(l)
    return function(value, ...)
        local file, line = blame.caller(l)
        if value == void.value then
            return void.value
        elseif value == nil or type(value) == "boolean" then
            return wrong(file, line, "except: found %s, expected a value, a list or a matcher",
                         reader.show(value))
        elseif select("#", ...) > 0 then
            return wrong(file, line, "except: found two values, expected one, or a list: except { … }")
        elseif l.is_word[value] then
            return wrong(file, line, "except: found a word without its argument")
        end
        local content = sealed.open(value)
        if type(value) == "table" and not content then
            local copy = {}
            for key, item in pairs(value) do
                copy[key] = item
            end
            value = copy
        end
        return sealed.new { word = "except", argument = value, text = "except (…)" }
    end
end

local function site_dhcp(l)
    local first
    return function(body)
        local file, line = blame.caller(l)
        blame.loading(l, "dhcp")
        if body == void.value then
            return nil
        elseif type(body) ~= "table" or sealed.open(body) then
            wrong(file, line, "dhcp: found %s, expected { … }", reader.show(body))
        elseif first then
            wrong(file, line, "there is a dhcp already, %s", blame.place(first, file))
        else
            first = { file = file, line = line }
            local reading = reader.new(file, "dhcp", nil, line)
            l.settings.dhcp = dhcp_words.read_site(reading, body)
            keep(l, l.settings.dhcp, reading)
        end
        return nil
    end
end

-- The words for one policy: `l` is described in loader.lua.
function dsl.words(l)
    local words = {
        profile = definition(l, "profile", function(reading, body, name)
            local read = profile.read(reading, body)
            l.profiles[name] = l.profiles[name] or read
            keep(l, read, reading)
        end),
        rule = definition(l, "rule", function(reading, body)
            local read = rules.read(reading, body)
            table.insert(l.rules, read)
            keep(l, read, reading)
        end),
        dhcp = site_dhcp(l),
        prefix = matcher(l, "prefix"),
        suffix = matcher(l, "suffix"),
        glob = matcher(l, "glob"),
        pattern = matcher(l, "pattern"),
        subnet = matcher(l, "subnet"),
        range = range(l),
        except = except(l),
        present = sealed.new { word = "present", text = "present" },
        absent = sealed.new { word = "absent", text = "absent" },
        template = template_word(l),
        chain = verdict(l, "chain", "url"),
        deny = verdict(l, "deny", "why"),
        disk = sealed.new { verdict = "disk", text = "disk" },
        ignore = sealed.new { verdict = "ignore", text = "ignore" },
        shell = sealed.new { verdict = "shell", text = "shell" },
        menu = with_table(l, "menu", menu.read),
        rollout = with_table(l, "rollout", rollout.read),
        once = with_table(l, "once", once.reader(l)),
    }
    for _, more in ipairs { files.words(l), inventory.words(l), serve.words(l), json.words(),
                           waits.words(), parallel.words(), http.words(), state.words(l), events.words(l),
                           known.words(l) } do
        for name, word in pairs(more) do
            words[name] = word
        end
    end
    l.is_word = {}
    for _, word in pairs(words) do
        l.is_word[word] = type(word) == "function" or nil
    end
    return words
end

return dsl

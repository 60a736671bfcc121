-- The words of the policy language. While the policy loads, a word that is used wrongly
-- records the problem and goes on; in a function of the policy, later, it throws.

local choice = require "choice"
local dhcp_words = require "dhcp_words"
local problems = require "problems"
local profile = require "profile"
local reader = require "reader"
local rules = require "rules"
local sealed = require "sealed"
local template = require "template"
local void = require "void"

local host = host

local dsl = {}

-- The line of the policy that called the word that called this.
local function caller_line()
    local _, line = host.where(3)
    return line and line > 0 and line or 1
end

-- A word is used wrongly; what it then returns is as good as unknown.
local function wrong(loader, line, text, ...)
    if not loader.loading then
        error(string.format(text, ...), 3)
    end
    loader.problems:add(line, text, ...)
    return void.value
end

-- `word "name" { … }`, each name once.
local function definition(loader, word, define)
    local lines = {}
    return function(name)
        local line = caller_line()
        if not loader.loading then
            error(word .. ": only while the policy loads, not in a function", 2)
        elseif name == void.value then
            return void.value
        elseif type(name) ~= "string" then
            return wrong(loader, line, '%s: found %s, expected a name: %s "name" { … }', word,
                         reader.show(name), word)
        elseif lines[name] then
            wrong(loader, line, "there is a %s %s already, on line %d", word, problems.show(name),
                  lines[name])
        end
        lines[name] = lines[name] or line
        local waiting = { line = line, text = string.format('%s %s has no { … }', word,
                                                            problems.show(name)) }
        loader.waiting[waiting] = true
        return function(body)
            local at = caller_line()
            loader.waiting[waiting] = nil
            if body == void.value then
                return nil
            elseif type(body) ~= "table" or sealed.open(body) then
                return wrong(loader, at, "%s %s: found %s, expected { … }", word,
                             problems.show(name), reader.show(body))
            end
            define(reader.new(loader, word, name, at), body, name)
            return nil
        end
    end
end

-- `word "text"`: a value of the language.
local function with_text(loader, word, make)
    return function(text)
        local line = caller_line()
        if text == void.value then
            return void.value
        elseif type(text) ~= "string" then
            return wrong(loader, line, '%s: found %s, expected text: %s "…"', word,
                         reader.show(text), word)
        end
        local content, problem = make(text, line)
        if not content then
            return wrong(loader, line, "%s: %s", word, problem)
        end
        content.text = word .. " " .. problems.show(text)
        return sealed.new(content)
    end
end

local function matcher(loader, word)
    return with_text(loader, word, function(text)
        return { word = word, argument = text }
    end)
end

-- A verdict with a text, which may be a template only while the policy loads.
local function verdict(loader, word, key)
    return with_text(loader, word, function(text, line)
        local problem = text == "" and "found no text" or nil
        if not loader.loading then
            problem = problem or choice.check_made(text)
        end
        if problem then
            return nil, problem
        end
        return { verdict = word, [key] = loader.scope:text(text, line) }
    end)
end

-- `template "file"`: a document, read and checked while the policy loads.
local function template_word(loader)
    return with_text(loader, "template", function(name)
        if not loader.loading then
            return nil, "only while the policy loads, not in a function"
        end
        local read, problem = template.read(loader, name)
        return read and { template = read }, problem
    end)
end

local function except(loader)
    return function(value)
        local line = caller_line()
        if value == void.value then
            return void.value
        elseif value == nil or type(value) == "boolean" then
            return wrong(loader, line, "except: found %s, expected a value, a list or a matcher",
                         reader.show(value))
        elseif loader.is_word[value] then
            return wrong(loader, line, "except: found a word without its argument")
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

local function site_dhcp(loader)
    local first
    return function(body)
        local line = caller_line()
        if not loader.loading then
            error("dhcp: only while the policy loads, not in a function", 2)
        elseif body == void.value then
            return nil
        elseif type(body) ~= "table" or sealed.open(body) then
            wrong(loader, line, "dhcp: found %s, expected { … }", reader.show(body))
        elseif first then
            wrong(loader, line, "there is a dhcp already, on line %d", first)
        else
            first = line
            loader.settings.dhcp = dhcp_words.read_site(reader.new(loader, "dhcp", nil, line), body)
        end
        return nil
    end
end

-- The words for one policy: what `loader` collects is described in engine.lua.
function dsl.words(loader)
    local words = {
        profile = definition(loader, "profile", function(reading, body, name)
            local read = profile.read(reading, body)
            loader.profiles[name] = loader.profiles[name] or read
        end),
        rule = definition(loader, "rule", function(reading, body)
            table.insert(loader.rules, rules.read(reading, body))
        end),
        dhcp = site_dhcp(loader),
        prefix = matcher(loader, "prefix"),
        glob = matcher(loader, "glob"),
        subnet = matcher(loader, "subnet"),
        except = except(loader),
        template = template_word(loader),
        chain = verdict(loader, "chain", "url"),
        deny = verdict(loader, "deny", "why"),
        disk = sealed.new { verdict = "disk", text = "disk" },
        ignore = sealed.new { verdict = "ignore", text = "ignore" },
    }
    loader.is_word = {}
    for _, word in pairs(words) do
        loader.is_word[word] = type(word) == "function" or nil
    end
    return words
end

return dsl

-- Documents: what profiles and rules hang on a name with `config = { … }`, served to their
-- machines under /config/.

local problems = require "problems"
local reader = require "reader"
local sealed = require "sealed"
local source = require "source"
local void = require "void"

local documents = {}

local TYPES = { json = "application/json", ign = "application/json" }
local PLAIN = "text/plain; charset=utf-8"

local expected = 'template "file", a text, or { template "file", type = "…", once = true }'

-- A name is a part of URLs, and stands in them as it is.
local function name_problem(name)
    if name:find("[^%w%-._/@+]") then
        return "a document's name has only letters, digits and any of - . _ / @ +"
    end
    if name:find("%.sig$") or name:find("%.minisig$") or name:find("%.cms$") then
        return "names that end in .sig, .minisig or .cms are those of documents' signatures"
    end
    for segment in (name .. "/"):gmatch("([^/]*)/") do
        if segment == "" or segment == "." or segment == ".." then
            return 'a document\'s name is a path such as "nocloud/user-data"'
        end
    end
end

local function read_text(reading, path, value)
    local content = sealed.open(value)
    if content and content.template then
        return content.template
    elseif type(value) == "string" then
        return reading:template(path, value)
    elseif reading:is_word(value) then
        reading:problem(path, "%s: found a word without its argument", reading.where(path))
    elseif value == nil then
        reading:problem(path, "%s: found nothing, expected %s", reading.where(path), expected)
    else
        reading:is(path, value, "document", expected)
    end
end

local function read_type(reading, path, value)
    local found = reading:literal(path, value, "a media type, such as \"text/xml\"")
    if found and not found:find("^[%w!#$&^_.+-]+/[%w!#$&^_.+-]+$")
        and not found:find("^[%w!#$&^_.+-]+/[%w!#$&^_.+-]+; ?charset=[%w-]+$") then
        reading:problem(path, "%s: found %s, expected a media type, such as \"text/xml\"",
                        reading.where(path), reader.show(found))
        return nil
    end
    return found
end

local function read_one(reading, path, value, name)
    local problem = name_problem(name)
    local document = { type = TYPES[name:match("%.(%a+)$")] or PLAIN }
    if problem then
        reading:problem(path, "%s: %s", reading.where(path), problem)
    end
    if type(value) ~= "table" or sealed.open(value) or getmetatable(value) then
        document.text = read_text(reading, path, value)
        return document
    end
    for key in pairs(value) do
        if key ~= 1 and key ~= "type" and key ~= "once" then
            reading:problem(reader.within(path, key), "%s: found %s, expected %s", reading.where(path),
                            type(key) == "number" and reader.show(value[key]) or "the key " .. problems.show(key),
                            expected)
        end
    end
    document.text = read_text(reading, path, value[1])
    document.type = read_type(reading, reader.within(path, "type"), value.type) or document.type
    if value.once ~= nil and type(value.once) ~= "boolean" and value.once ~= void.value then
        reading:problem(reader.within(path, "once"), "%s.once: found %s, expected true or false", reading.where(path),
                        reader.show(value.once))
    elseif value.once == true then
        document.once = true
        if reading.loader then
            reading.loader.state.used = true -- that it was asked for is to be remembered
        end
    end
    return document
end

-- The table behind `config` -> documents by name, each { text =, type = }; nil for none.
function documents.read(reading, path, value)
    return reading:map(path, value, read_one, "a table of names and documents")
end

-- Why `config "name"` names none of these documents, or nil when it does. "x/" names all
-- beneath x, "/" all of them.
function documents.problem(known, name)
    if type(name) ~= "string" or name == "" then
        return string.format("found %s, expected a document's name", problems.show(name))
    elseif known[name] or name == "/" and next(known) then
        return nil
    end
    local beneath = {}
    for each in pairs(known) do
        for at in each:gmatch("/()") do
            beneath[each:sub(1, at - 1)] = true
        end
    end
    local directory = name:sub(-1) == "/"
    if directory and beneath[name] then
        return nil
    end
    return string.format("there is no document %s%s%s", directory and "beneath " or "", problems.show(name),
                         problems.hint(name, directory and beneath or known))
end

-- Is this document, or one beneath this name, to be asked for once?
function documents.once(known, name)
    local beneath = name == "" or name:sub(-1) == "/"
    for each, document in pairs(known) do
        if document.once and (each == name or beneath and each:sub(1, #name) == name) then
            return true
        end
    end
    return false
end

local ENDS = { [")"] = true, [","] = true }

-- Where in a piece of Lua this word is given a literal, and no more than that: adds { name =, line =, report = }
-- to `into`.
function documents.uses(word, code, line, into, report)
    if not code:find(word, 1, true) then
        return
    end
    local tokens = source.tokens(code, line)
    for i, token in ipairs(tokens) do
        local before, after = tokens[i - 1], tokens[i + 1]
        if after and after.text == "(" and after.kind == "op" then
            after = tokens[i + 3] and ENDS[tokens[i + 3].text] and tokens[i + 2]
        end
        local own = not before or before.kind ~= "op" or before.text ~= "." and before.text ~= ":"
        if token.kind == "name" and token.text == word and own and after and after.kind == "string" then
            into[#into + 1] = { name = after.text, line = token.line, report = report }
        end
    end
end

--- Checking `config "name"` --------------------------------------------------------------

-- Calls `visit` for each use in this text, and in what it includes.
local function each_use(text, visit, seen)
    if seen[text] then
        return
    end
    seen[text] = true
    for _, use in ipairs(text.uses or {}) do
        visit(use)
    end
    for _, included in pairs(text.includes or {}) do
        each_use(included, visit, seen)
    end
end

-- Calls `visit(text, plan)` for each text of a profile or plan, and of those behind a menu or
-- a rollout or once.
local function each_text(plan, visit)
    local menu, sides = plan.menu or { entries = {} }, plan.sides
    for _, texts in ipairs { plan.args or {}, plan.initrd or {}, { plan.kernel }, { plan.url },
                             { plan.why }, menu.texts or {} } do
        for _, text in ipairs(texts) do
            if text.uses then -- most are constant
                visit(text, plan)
            end
        end
    end
    for _, document in pairs(plan.config or {}) do
        if document.text and document.text.uses then
            visit(document.text, plan)
        end
    end
    for _, entry in ipairs(menu.entries) do
        each_text(entry.plan, visit)
    end
    if sides then
        each_text(sides.use, visit)
        each_text(sides.otherwise, visit)
    end
end

local function add_names(names, config)
    for name in pairs(config or {}) do
        names[name] = true
    end
end

-- Is the plan its profile's, and nothing else?
local function adds_nothing(plan)
    local profile = plan.profile
    return profile and plan.config == profile.config and #plan.args == #(profile.args or {})
end

-- Reports what names a document that the policy, or the plan that it is in, does not have.
function documents.check(l)
    local all = {}
    for _, profile in pairs(l.profiles) do
        add_names(all, profile.config)
    end
    for _, rule in ipairs(l.rules) do
        add_names(all, rule.config)
    end
    local function check(plan, rule)
        each_text(plan, function(text, of)
            add_names(all, of.config)
            each_use(text, function(use)
                local problem = documents.problem(all, use.name)
                local here = rule and documents.problem(of.config or {}, use.name)
                if problem then
                    use.report:add(use.line, "config: %s", problem)
                elseif here then
                    use.report:add(use.line, "config: under rule %s %s", problems.show(rule.name), here)
                end
            end, {})
        end)
    end
    for _, profile in pairs(l.profiles) do
        check(profile)
    end
    local checked = {} -- set of profiles whose plain plan has been
    for _, rule in ipairs(l.rules) do
        local on_error = rule.on_error ~= rule.ignore and rule.on_error or nil
        for _, plan in ipairs { rule.plan or on_error, rule.plan and on_error } do
            local plain = adds_nothing(plan)
            if not plain or not checked[plan.profile] then
                check(plan, rule)
            end
            if plain then
                checked[plan.profile] = true
            end
        end
    end
end

return documents

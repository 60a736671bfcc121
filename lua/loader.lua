-- Reads one policy file and runs it in its sandbox, collecting what its words define and
-- all that is wrong with it.

local carry = require "carry"
local documents = require "documents"
local dsl = require "dsl"
local interpolate = require "interpolate"
local problems = require "problems"
local rules = require "rules"
local sandbox = require "sandbox"
local sealed = require "sealed"
local source = require "source"
local void = require "void"

local host = host

local loader = {}

-- Globals a chunk sets, or reads although there are none of that name.
local function check_names(l, names, env)
    local assigned = {}
    for _, use in ipairs(names) do
        if use.set then
            assigned[use.name] = true
            l.problems:add(use.line, 'assignment to the global "%s": write "local %s"', use.name,
                           use.name)
        end
    end
    for _, use in ipairs(names) do
        local value = env[use.name]
        local known = assigned[use.name] -- and reported
        if value == nil and not known then
            l.problems:add(use.line, 'unknown word "%s"%s', use.name,
                           problems.hint(use.name, env))
        elseif type(value) == "table" and not known and not sealed.open(value)
            and use.field and value[use.field] == nil then
            l.problems:add(use.line, 'unknown word "%s.%s"%s', use.name, use.field,
                           problems.hint(use.field, value))
        end
    end
end

-- Runs the chunk. What it throws is a problem, unless it merely trips over an earlier one.
local function run(l, text, env)
    local chunk, message = host.load(text, "@" .. l.display, env)
    local names
    if chunk then
        names, message = host.names(text, "@" .. l.display)
    end
    if not names then
        l.problems:add_message(message, 1)
        return
    end
    check_names(l, names, env)
    setmetatable(env, { __index = function()
        return void.value
    end })
    void.reset()
    local ok, problem = host.guard_load(chunk)
    setmetatable(env, nil)
    if not ok then
        l.problems:add_message(type(problem) == "string" and problem
                               or "an error that is no text was thrown", 1)
    end
end

local function link(l)
    for waiting in pairs(l.waiting) do
        l.problems:add_text(waiting.line, waiting.text)
    end
    local functions = false
    for _, rule in ipairs(l.rules) do
        rules.link(rule, l.profiles)
        functions = functions or rule.call ~= nil
    end
    l.scope:compile(l.problems, functions)
    documents.check(l)
end

-- What a policy speaks of, in any of its files.
local function carried(files)
    local texts = {}
    for i, file in ipairs(files) do
        texts[i] = file.text
    end
    return carry.used(table.concat(texts, "\n"))
end

-- A policy from its text -> policy | nil, list of problems. `dir`: where it reads files.
function loader.load(display, text, dir)
    local l = {
        display = display, dir = dir, problems = problems.new(display), source = source.new(text),
        scope = interpolate.scope(display), loading = true,
        rules = {}, profiles = {}, settings = {},
        waiting = {}, -- set of names that have no body yet
        files = { { name = display, text = text } }, -- all that were read
        templates = {}, -- by name
    }
    local env = sandbox.basics()
    for name, word in pairs(dsl.words(l)) do
        env[name] = word
    end
    run(l, text, env)
    link(l)
    l.loading = false
    if l.problems:any() then
        return nil, l.problems:strings()
    end
    l.source, l.templates = nil, nil
    l.scope.carried = carried(l.files)
    return {
        display = display, rules = l.rules, profiles = l.profiles, settings = l.settings,
        scope = l.scope, files = l.files, carried = l.scope.carried,
    }
end

return loader

-- Loads a policy: runs its file, and those that it includes and requires, in a sandbox;
-- collects what its words define and all that is wrong with it.
--
-- `l` is what the whole policy has: display, dir, rules, profiles, settings, routes, handlers (of
-- events), onces (once.lua), state = { store = (store.lua) }, scope, files (all that was read, in
-- order: { name =, text = }), words, loading. Each file of Lua is
-- { display =, problems =, source =, … } and has the policy's fields besides, so that a word,
-- whoever calls it, reports to the file that it stands in.

local carry = require "carry"
local documents = require "documents"
local dsl = require "dsl"
local index = require "index"
local interpolate = require "interpolate"
local inventory = require "inventory"
local problems = require "problems"
local profile = require "profile"
local rules = require "rules"
local sandbox = require "sandbox"
local sealed = require "sealed"
local source = require "source"
local store = require "store"
local void = require "void"

local host = host

local loader = {}

-- Globals a chunk sets, or reads although there are none of that name.
local function check_names(file, names, env)
    local assigned = {}
    for _, use in ipairs(names) do
        if (use.name == "state" or use.name == "machines") and not use.set then
            file.policy.state.used = true
            if use.name == "machines" and use.field ~= "stuck" then
                file.policy.reads.records = true
            end
        elseif use.set then
            assigned[use.name] = true
            file.problems:add(use.line, 'assignment to the global "%s": write "local %s"',
                              use.name, use.name)
        end
    end
    for _, use in ipairs(names) do
        local value = rawget(env, use.name)
        local known = assigned[use.name] -- and reported
        if value == nil and not known then
            table.insert(file.policy.unknown, { file = file, line = use.line, name = use.name,
                                                hint = problems.hint(use.name, env) })
        elseif type(value) == "table" and not known and not sealed.open(value)
            and use.field and value[use.field] == nil then
            file.problems:add(use.line, 'unknown word "%s.%s"%s', use.name, use.field,
                              problems.hint(use.field, value))
        end
    end
end

-- Where a message that names its place belongs: file, line, text.
local function place(l, message)
    local at, text, name = problems.split(message, l.files)
    return name and l.by_name[name], at, text
end

-- Runs a chunk of the policy by `guard` -> what it returned. What it throws is a problem,
-- unless it merely trips over an earlier one.
local function run(file, env, guard)
    if file.text:sub(1, 1) == "\27" then
        file.problems:add(1, "found bytecode: a policy is text")
        return void.value
    end
    local chunk, message = host.load(file.text, "@" .. file.display, env)
    local names
    if chunk then
        names, message = host.names(file.text, "@" .. file.display)
    end
    if not names then
        file.problems:add_message(message, 1)
        return void.value
    end
    check_names(file, names, env)
    local l = file.policy
    table.insert(l.running, file)
    local ok, result = guard(chunk)
    table.remove(l.running)
    if ok then
        return result
    end
    if type(result) ~= "string" then
        file.problems:add_text(1, "an error that is no text was thrown")
    elseif not result:find(void.endless, 1, true) then
        local thrown_in, line, text = place(l, result)
        local blamed = thrown_in or file
        blamed.problems:add_text(line or 1, text)
    end
    return void.value
end

-- The policy's world: the basics, its words, and until it is loaded a stand-in for any other.
local function environment(l)
    local env = sandbox.basics()
    for name, word in pairs(l.words) do
        env[name] = word
    end
    table.insert(l.environments, setmetatable(env, { __index = function()
        return void.value
    end }))
    return env
end

local methods = {}

-- A file of Lua that belongs to the policy; `display` as messages name it.
function methods.open(l, display, text)
    local file = l.by_name[display]
    if not file then
        file = setmetatable({
            display = display, text = text, problems = problems.new(display),
            source = source.new(text), policy = l,
        }, { __index = l })
        l.by_name[display] = file
        table.insert(l.opened, file)
        l:note(display, text)
    end
    return file
end

-- A file of data, for the problems that a policy finds in it.
function methods.data(l, display)
    local file = l.by_name[display]
    if not file then
        file = { display = display, problems = problems.new(display), policy = l }
        l.by_name[display] = file
        table.insert(l.opened, file)
    end
    return file
end

-- Something was read: what the policy is depends on it.
function methods.note(l, display, text)
    table.insert(l.files, { name = display, text = text })
end

-- Runs a file in the policy's own environment, or with `apart` in a new one.
function methods.run(l, file, apart)
    return run(file, apart and environment(l) or l.env, pcall)
end

local function link(l)
    for waiting in pairs(l.waiting) do
        waiting.file.problems:add_text(waiting.line, waiting.text)
    end
    for _, word in ipairs(l.unknown) do
        local quoted = l.profiles[word.name]
                       and string.format(" (a profile's name is written in quotes: %s)", problems.show(word.name))
        word.file.problems:add(word.line, 'unknown word "%s"%s', word.name, quoted or word.hint)
    end
    for _, use in ipairs(l.uses) do
        local _, problem = profile.find(l.profiles, use.name)
        if problem then
            use.reading:problem(use.path, "%s%s", use.reading.lead(use.path), problem)
        end
    end
    local functions = false
    for _, rule in ipairs(l.rules) do
        rules.link(rule, l.profiles)
        functions = functions or rule.call ~= nil
    end
    inventory.check(l)
    l.scope:compile(functions)
    documents.check(l)
end

-- All problems of all files, each file's together; nil when there are none.
local function gather(l)
    local all = {}
    for _, file in ipairs(l.opened) do
        for _, text in ipairs(file.problems:strings()) do
            all[#all + 1] = text
        end
    end
    return #all > 0 and all or nil
end

-- A policy from its text -> policy | nil, list of problems. `dir`: what it may read. `inspect`, if
-- given, is called with `l` and a policy that has no problems: l.readings has the readers of its
-- rules and profiles (reader.lua), l.named_templates where templates are named.
-- `static_tftp` and `unsigned`: what the site lacks, as engine.load has it.
function loader.load(display, text, dir, inspect, static_tftp, unsigned)
    local l = setmetatable({
        display = display, dir = dir, static_tftp = static_tftp, unsigned = unsigned, loading = true,
        scope = interpolate.scope(),
        rules = {}, profiles = {}, settings = {}, routes = {}, handlers = {}, onces = {},
        state = { store = store.memory() }, -- until another is put there
        files = {}, opened = {}, by_name = {}, environments = {},
        templates = {}, -- by the names of their files
        uses = {}, -- list of profiles' names, and where they stand
        unknown = {}, -- list of words that there are not
        running = {}, -- stack of files
        waiting = {}, -- set of names that have no body yet
        reads = {}, -- set of what its functions read: records of machines
        shut = {}, -- list of what is sealed and cannot be opened here: { file =, line =, text = }
        readings = inspect and {}, named_templates = {},
    }, { __index = methods })
    l.scope.onces = l.onces
    local main = l:open(display, text)
    l.words = dsl.words(l)
    l.env = environment(l)
    void.reset()
    run(main, l.env, host.guard_load)
    for _, env in ipairs(l.environments) do
        setmetatable(env, nil)
    end
    link(l)
    l.loading = false
    local found = gather(l)
    if found then
        return nil, found
    end
    local texts = {}
    for _, file in ipairs(l.opened) do
        texts[#texts + 1] = file.text
    end
    l.scope.carried = carry.used(table.concat(texts, "\n"))
    local policy = {
        display = display, rules = l.rules, profiles = l.profiles, settings = l.settings,
        routes = l.routes, scope = l.scope, files = l.files, carried = l.scope.carried,
        handlers = l.handlers, onces = l.onces, state = l.state,
        reads_records = l.reads.records,
        stateful = l.state.used or #l.onces > 0, -- it wants a store that lasts
        index = index.new(l.rules),
    }
    if inspect then
        inspect(l, policy)
    end
    for _, file in ipairs(l.opened) do
        file.text, file.source = nil, nil
    end
    l.uses, l.unknown, l.waiting, l.environments, l.readings, l.named_templates = nil, nil, nil, nil, nil, nil
    l.scope.told_events = {}
    return policy
end

return loader

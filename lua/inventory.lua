-- `inventory "hosts.yaml"`: what each host boots, its arguments and vars, from a file of data.
-- The hosts stay in C (core/inventory.h); a host becomes Lua when it is decided.
--
-- An inventory is { data = the C half, key = its field, file = the file's problems, text = as it
-- reads in a message }.

local blame = require "blame"
local files = require "files"
local hosts = require "hosts"
local machine = require "machine"
local problems = require "problems"
local profile = require "profile"
local reader = require "reader"
local sealed = require "sealed"
local secrets = require "secrets"
local void = require "void"
local words = require "words"

local host = host

local inventory = {}

inventory.link, inventory.pick = hosts.link, hosts.pick

local keys = words.keys "InventoryFile"

local formats = { yaml = true, yml = true, json = true, csv = true }

-- Several values, or kinds of machines: what tells no machine from another.
local no_keys = { set = true, labels = true, arch = true, stage = true }

local types = {}
for _, field in ipairs(machine.fields) do
    types[field.name] = field.type
end

--- The word ------------------------------------------------------------------------------

-- hosts:get(machine), or of a key: { use =, args =, vars = }, as a function may answer it; nil
-- when there is no such host.
local function get(of, l)
    return function(_, key)
        local kind = type(key)
        if getmetatable(key) == "machine" then
            key = key[of.key.name]
        elseif kind ~= "string" and kind ~= "number" then
            error(string.format("get: found %s, expected a machine, or its %s", reader.show(key),
                                of.key.name), 2)
        end
        if not key then
            return nil
        end
        local verdict, text = of.data:find(key)
        if not verdict then
            return nil
        end
        local args, vars = of.data:extras(key, secrets.value)
        local use = l.words[verdict]
        if verdict == "boot" then
            use = text
        elseif verdict == "nothing" then
            use = nil
        elseif text then
            local content = hosts.choice(verdict, text)
            content.text = verdict .. " " .. problems.show(text)
            use = sealed.new(content)
        end
        return { use = use, args = args or {}, vars = vars or {} }
    end
end

-- A file of data as one of the policy's, which has problems of its own.
local function data_file(l, display)
    local file = l.by_name[display]
    if not file then
        file = { display = display, problems = problems.new(display) }
        l.by_name[display] = file
        table.insert(l.opened, file)
    end
    return file
end

local function add_problems(file, list)
    for _, message in ipairs(list) do
        local line, text = message:sub(#file.display + 2):match("^(%d+): (.*)$")
        file.problems:add_text(tonumber(line), text)
    end
end

-- Tries all that is sealed in it, so that what cannot be opened is known at once, and hidden in the
-- logs from the beginning.
local function open_sealed(l, file, data)
    local i, text, line = 1, data:sealed(1)
    while text do
        local value, shut = secrets.open(text)
        if not value then
            file.problems:add(line, "sealed: %s", shut)
        elseif shut then
            table.insert(l.shut, { file = file.display, line = line, text = text })
        end
        i = i + 1
        text, line = data:sealed(i)
    end
end

local function open(l, name, key)
    local display = files.display(l, name)
    local data, problem, named = files.from_disk(l, function(dir, path)
        return host.inventory(dir, path, display, types, key)
    end, name)
    if not data and type(problem) ~= "table" then
        return nil, string.format("%s cannot be read: %s", problems.show(display), problem)
    end
    local file = data_file(l, display)
    if not data then
        l.scope:miss_some()
        add_problems(file, problem)
        table.insert(l.inventories, { file = file, named = named })
        return void.value
    end
    l:note(display, data:hash())
    open_sealed(l, file, data)
    local vars, i = {}, 1
    while data:var(i) do
        vars[data:var(i)] = true
        i = i + 1
    end
    l.scope:declare(vars)
    return { data = data, key = machine.field(data:key()), file = file }
end

-- The word's argument -> file's name, key; nil after saying what is wrong.
local function arguments(file, line, body)
    if type(body) == "string" then
        body = { file = body }
    elseif type(body) ~= "table" or sealed.open(body) then
        blame.wrong(file, line, 'inventory: found %s, expected a file\'s name, or { file = "…", '
                    .. 'key = "…" }', reader.show(body))
        return nil
    end
    local reading = reader.new(file, "inventory", nil, line)
    reading:keys({}, body, keys)
    local name = reading:text({ "file" }, body.file, "a file's name")
    local key = reading:text({ "key" }, body.key, "the name of a field")
    if body.file == nil then
        reading:problem({}, "inventory has no file")
    end
    local field = key and machine.field(key)
    if name and not formats[(name:match("%.(%w+)$") or ""):lower()] then
        reading:problem({ "file" }, "inventory: %s is neither .yaml, .json nor .csv",
                        problems.show(name))
        name = nil
    elseif key and not field then
        reading:problem({ "key" }, "key: %s", machine.unknown_field(key))
    elseif field and no_keys[field.type] then
        reading:problem({ "key" }, "key: hosts cannot be keyed by %s", key)
    end
    if not name or body.key ~= nil and (not field or no_keys[field.type]) then
        return nil
    end
    return (name:gsub("/+", "/"):gsub("^%./(.)", "%1")), key
end

function inventory.words(l)
    local opened = {}
    l.inventories = {}
    return { inventory = function(body)
        local file, line = blame.caller(l)
        blame.loading(l, "inventory")
        if body == void.value then
            return body
        end
        local name, key = arguments(file, line, body)
        if not name then
            return void.value
        end
        local id = name .. "\0" .. (key or "")
        if not opened[id] then
            local of, problem = open(l, name, key)
            if not of then
                return blame.wrong(file, line, "inventory: %s", problem)
            elseif of == void.value then
                opened[id] = of
            else
                table.insert(l.inventories, of)
                of.text = "inventory " .. problems.show(name)
                opened[id] = sealed.new {
                    verdict = "inventory", inventory = of, word = "inventory", argument = of,
                    text = of.text, methods = { get = get(of, l) },
                }
            end
        end
        return opened[id]
    end }
end

-- The profiles that hosts name: a list of { name, line of the first use, uses }.
local function profiles_of(data)
    local named, i = {}, 1
    repeat
        local name, line, uses = data:profile(i)
        named[i] = name and { name, line, uses }
        i = i + 1
    until not name
    return named
end

-- Reports the profiles that there are not, of files with other problems too, and the first host
-- without boot of an inventory that a rule boots.
function inventory.check(l)
    for _, of in ipairs(l.inventories) do
        local unknown, first = 0, nil
        for _, use in ipairs(of.named or profiles_of(of.data)) do
            local _, problem = profile.find(l.profiles, use[1])
            unknown = unknown + (problem and 1 or 0)
            if problem and unknown <= 20 then
                of.file.problems:add(use[2], "boot: %s%s", problem,
                                     use[3] > 1 and string.format(" (%d hosts)", use[3]) or "")
            elseif problem then
                first = first or use[2]
            end
        end
        if unknown > 20 then
            of.file.problems:add(first, "%d more profiles that there are not", unknown - 20)
        end
        local line = of.booted and of.data:bootless()
        if line then
            of.file.problems:add(line, "a host without boot, in an inventory that a rule boots")
        end
    end
end

return inventory

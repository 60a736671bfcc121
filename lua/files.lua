-- The files of a policy beside its own: what it includes, requires and reads. All names are
-- relative to the directory of the policy, and lead nowhere else; "moonboot/NAME.lua" and
-- "moonboot.NAME" are the policies that come with the program.

local blame = require "blame"
local path = require "path"
local problems = require "problems"
local reader = require "reader"
local void = require "void"

local host = host

local files = {}

local show = problems.show

-- A file's name as messages have it.
function files.display(l, name)
    return path.join((path.split(l.display)), name)
end

-- host.read and host.list for this policy.
function files.from_disk(l, read, name)
    if name:find("%z") then
        return nil, "a file's name has no NUL byte in it", false
    elseif not l.dir then
        return nil, "there is no directory to read from", true
    end
    return read(l.dir, name)
end

-- A file beside the policy -> text, its name in messages | nil, why it cannot be read.
function files.text(l, name)
    local text, message = files.from_disk(l, host.read, name)
    if not text then
        return nil, string.format("%s cannot be read: %s", show(files.display(l, name)), message)
    end
    return text, files.display(l, name)
end

-- A file that comes with the program; nil when `module`, as `require` takes it, is none.
local function shipped(l, module)
    local name = module:match "^moonboot%.(.+)$"
    for _, candidate in ipairs { name, name and name .. ".init" } do
        local text = host.policy(candidate)
        if text then
            local file = l:open("moonboot/" .. candidate:gsub("%.", "/") .. ".lua", text)
            file.shipped = true
            return file
        end
    end
end

-- A name, the shortest way to write it.
function files.shortest(name)
    return (name:gsub("/+", "/"):gsub("^%./(.)", "%1"))
end

-- The word's argument, the shortest way to write it; when it is no name nil, and what the
-- word is to return.
local function name_of(file, line, word, name)
    if name == void.value then
        return nil, name
    elseif type(name) ~= "string" or name == "" then
        return nil, blame.wrong(file, line, "%s: found %s, expected a file's name: %s \"…\"", word,
                                reader.show(name), word)
    end
    return files.shortest(name)
end

-- The files that are running now, from `last` on: "a.lua > b.lua > a.lua".
local function chain(l, last)
    local names = {}
    for _, file in ipairs(l.running) do
        if #names > 0 or file == last then
            names[#names + 1] = file.display
        end
    end
    names[#names + 1] = last.display
    return table.concat(names, " > ")
end

-- Runs a file unless it is running already.
local function enter(l, file, at, line, apart)
    for _, outer in ipairs(l.running) do
        if outer == file then
            return blame.wrong(at, line, "%s needs itself: %s", file.display, chain(l, file))
        end
    end
    return l:run(file, apart)
end

local function include(l)
    return function(name)
        local file, line = blame.caller(l)
        blame.loading(l, "include")
        local good, instead = name_of(file, line, "include", name)
        if not good then
            return instead
        end
        name = good
        local found = shipped(l, (name:gsub("%.lua$", ""):gsub("/", ".")))
        if not found then
            local text, message = files.from_disk(l, host.read, name)
            if not text then
                return blame.wrong(file, line, "include: %s cannot be read: %s",
                                   show(files.display(l, name)), message)
            end
            found = l:open(files.display(l, name), text)
        end
        enter(l, found, file, line, false)
        return nil
    end
end

-- The file of a module -> file | nil, what is wrong.
local function find_module(l, name)
    local found = shipped(l, name)
    if found then
        return found
    elseif name:find "^moonboot%." then
        return nil, "moonboot comes with no policy of that name"
    end
    local base = name:gsub("%.", "/")
    for _, candidate in ipairs { base .. ".lua", base .. "/init.lua" } do
        local text, message, missing = files.from_disk(l, host.read, candidate)
        if text then
            return l:open(files.display(l, candidate), text)
        elseif not missing then
            return nil, string.format("%s cannot be read: %s", show(files.display(l, candidate)), message)
        end
    end
    return nil, string.format("there is neither %s.lua nor %s/init.lua", files.display(l, base),
                              files.display(l, base))
end

local function require_word(l)
    local loaded = {}
    return function(name)
        local file, line = blame.caller(l)
        local good, instead = name_of(file, line, "require", name)
        if not good then
            return instead
        elseif loaded[name] ~= nil then
            return loaded[name]
        end
        blame.loading(l, "require " .. show(name))
        if not name:find("^[%w_-]+[%w_.-]*$") or name:find("..", 1, true) then
            return blame.wrong(file, line, "require: found %s, expected a module's name, such as "
                               .. "\"hosts\" or \"lib.hosts\"", show(name))
        end
        local found, problem = find_module(l, name)
        if not found then
            return blame.wrong(file, line, "require %s: %s", show(name), problem)
        end
        local value = enter(l, found, file, line, true)
        if value == nil then
            value = true -- as Lua has it
        end
        loaded[name] = value
        return value
    end
end

-- read and list: `get` is the function of `host`. What is absent is the second argument,
-- where there is one.
local function reading(l, word, get, take)
    return function(name, ...)
        local file, line = blame.caller(l)
        blame.loading(l, word)
        local good, instead = name_of(file, line, word, name)
        if not good then
            return instead
        end
        name = good
        local found, message, missing = files.from_disk(l, get, name)
        if found then
            return take(found, name)
        elseif missing and select("#", ...) > 0 then
            return (...)
        end
        return blame.wrong(file, line, "%s: %s cannot be read: %s", word, show(files.display(l, name)),
                           message)
    end
end

-- What a policy finds wrong in a file that it read.
local function problem(l)
    return function(name, at, text)
        local file, line = blame.caller(l)
        blame.loading(l, "problem")
        if name == void.value or at == void.value or text == void.value then
            return nil
        elseif type(name) ~= "string" or type(at) ~= "number" or type(text) ~= "string" then
            return blame.wrong(file, line,
                               'problem: expected a file\'s name, a line and a text: problem("hosts.conf", 3, "…")')
        end
        l:data(files.display(l, name)).problems:add_text(at, text)
        return nil
    end
end

function files.words(l)
    return {
        problem = problem(l),
        include = include(l),
        require = require_word(l),
        read = reading(l, "read", host.read, function(text, name)
            l:note(files.display(l, name), text)
            return text
        end),
        list = reading(l, "list", host.list, function(names, name)
            table.sort(names)
            l:note(files.display(l, name) .. "/", table.concat(names, "\n"))
            return names
        end),
    }
end

return files

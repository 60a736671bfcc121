-- `moonboot state`: what the service remembers, for people and scripts. It is read and written in
-- the store itself, whether or not the service runs.

local json = require "json"
local options = require "cli.options"

local HELP = [[
Usage: moonboot state [OPTION]… get KEY
       moonboot state [OPTION]… set KEY VALUE [--ttl SECONDS]
       moonboot state [OPTION]… delete KEY
       moonboot state [OPTION]… list [PREFIX]
       moonboot state [OPTION]… export [PREFIX]
       moonboot state [OPTION]… import
       moonboot state [OPTION]… create
Reads and writes what the service remembers, running or not. Values are JSON. Keys of policies
begin with state/, what is done once is under once/, URLs that were used once under spent/.

export writes a line of JSON for each key, and import reads such lines. Both work on either backend:
what one has exported the other imports. create makes a store that is empty, where there is none;
import does so too. In Redis nothing else at the command line does.

  -c, --config FILE  the site's configuration (site.yaml here, else /etc/moonboot/site.yaml)
      --ttl SECONDS  set: forget it after that time
  -h, --help         print this

Exit codes: 0 done, 1 there is no such key, or it failed, 2 bad usage.
]]

local OPTIONS = {
    ["--config"] = "value", ["-c"] = "value", ["--ttl"] = "value", ["--help"] = "flag", ["-h"] = "flag",
}

local function say(...)
    host.cli.warn("moonboot state: " .. string.format(...) .. "\n")
end

local function usage(...)
    say(...)
    host.cli.warn "Try: moonboot state --help\n"
    return 2
end

local store -- what `open` opened

-- What a store that is not there holds.
local EMPTY = {
    get = function() return false end,
    list = function() return {} end,
}

-- Opens the store that site.yaml names -> true | nil, after saying why not. `purpose`: "read",
-- "write" or "make" (host.cli.store).
local function open(name, purpose)
    local names = name and { name } or { "site.yaml", "/etc/moonboot/site.yaml" }
    local site, found, failed
    for _, each in ipairs(names) do
        site, found = host.cli.site(each)
        if site then
            name = each
            break
        end
        failed = failed or found
        if not (found[1] or ""):find("No such file", 1, true) then
            failed = found
            break
        end
    end
    if not site then
        host.cli.warn(table.concat(failed, "\n") .. "\n")
        return nil
    end
    local opened, problem = host.cli.store(name, purpose)
    if opened == nil then
        say("%s", problem)
        return nil
    end
    store = opened or EMPTY -- the service has not been started yet: it remembers nothing
    return true
end

-- What is not to be read ends the command.
local function must(value, problem)
    if value == nil then
        error({ problem = problem }, 0)
    end
    return value, problem
end

-- All below the prefix, a page at a time.
local function each(prefix, f)
    local page, after
    repeat
        page, after = must(store.list(prefix, after))
        for _, entry in ipairs(page) do
            f(entry)
        end
    until not after
end

local commands = {}

function commands.get(_, key)
    local text = must(store.get(key))
    if not text then
        say("there is no %s", key)
        return 1
    end
    host.cli.write(text .. "\n")
    return 0
end

local function written(done, problem)
    if not done then
        say("%s", problem)
        return 1
    end
    return 0
end

-- A text of JSON as the store keeps it | nil, problem.
local function normal(text)
    local value, problem = json.decode(text)
    if problem then
        return nil, problem
    end
    return json.encode(value)
end

function commands.set(values, key, text)
    local ttl = tonumber(values["--ttl"])
    if values["--ttl"] and not (ttl and ttl > 0 and ttl <= 3e9) then
        return usage("--ttl wants seconds")
    end
    local value, problem = normal(text)
    if not value then
        return usage("%s is no JSON: %s", text, problem)
    end
    return written(store.write(key, value, ttl))
end

function commands.delete(_, key)
    if not must(store.get(key)) then
        say("there is no %s", key)
        return 1
    end
    return written(store.write(key))
end

function commands.list(_, prefix)
    each(prefix or "", function(entry)
        host.cli.write(entry.key .. "\t" .. entry.text .. "\n")
    end)
    return 0
end

function commands.export(_, prefix)
    each(prefix or "", function(entry)
        local ends = entry.ends and string.format(',"ends":%.3f', entry.ends) or ""
        host.cli.write(string.format('{"key":%s,"value":%s%s}\n', json.quote(entry.key), entry.text, ends))
    end)
    return 0
end

-- Line by line; at the first that is wrong it stops, and says which.
function commands.import()
    local number, now = 0, host.time()
    for line in host.cli.each_line "-" do
        number = number + 1
        local entry, problem
        if line ~= "" then
            entry, problem = json.decode(line)
            if type(entry) ~= "table" or type(entry.key) ~= "string" or entry.value == nil
                or not (entry.ends == nil or type(entry.ends) == "number") then
                say('line %d: %s', number, problem or 'expected {"key":"…","value":…}')
                return 1
            end
        end
        local ttl = entry and entry.ends and entry.ends - now
        if entry and not (ttl and ttl <= 0) then
            local done, failure = store.write(entry.key, json.encode(entry.value), ttl)
            if not done then
                say("line %d: %s", number, failure)
                return 1
            end
        end
    end
    return 0
end

-- It has been made when it is opened.
function commands.create()
    must(store.get "-")
    return 0
end

-- How many: at least, at most.
local OPERANDS = {
    get = { 1, 1 }, set = { 2, 2 }, delete = { 1, 1 }, list = { 0, 1 }, export = { 0, 1 }, import = { 0, 0 },
    create = { 0, 0 },
}

local PURPOSE = { set = "write", import = "make", create = "make" }

return function(args)
    local values, operands = options.parse(args, OPTIONS)
    if not values then
        return usage("%s", operands)
    elseif values["--help"] or values["-h"] then
        host.cli.write(HELP)
        return 0
    end
    local name = table.remove(operands, 1)
    local wanted = OPERANDS[name or ""]
    if not wanted then
        return usage(name and "there is no \"%s\", expected get, set, delete, list, export, import or create"
                     or "expected get, set, delete, list, export, import or create", name)
    elseif #operands < wanted[1] or #operands > wanted[2] then
        return usage("%s wants %s", name, wanted[2] == 2 and "a key and a value" or wanted[1] == 1 and "a key"
                                          or wanted[2] == 1 and "one prefix at most" or "nothing")
    elseif not open(values["--config"] or values["-c"], PURPOSE[name] or "read") then
        return 1
    end
    local ok, code = pcall(commands[name], values, unpack(operands))
    if ok then
        return code
    elseif type(code) ~= "table" then
        error(code, 0)
    end
    say("%s", code.problem)
    return 1
end

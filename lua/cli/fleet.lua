-- The machines that `moonboot diff` puts to two policies: what a decision log, a list of machines
-- or a capture tells of them.
--
-- A source is { each = function(share, shares, take, read) }: calls take(key, name, fields) for
-- those of `share` out of `shares`, by which processes split the work. `key` is the same for the
-- same facts; `fields()` gives them as machine.new takes them, or nil when they cannot be read.
-- `read(n)` is called now and then, after n lines. It returns how many lines told of no machine.
-- `alone`: it cannot be read by several.

local json = require "json"
local logged = require "cli.logged"
local machine = require "machine"
local machine_list = require "cli.machine_list"
local routes = require "routes"

local host = host

local fleet = {}

local READ_EVERY = 4096

-- By their names machines are split among processes: each is one process' alone.
local function shared_out(name, shares)
    local a, b, c = name:byte(-3, -1)
    return ((a or 0) * 31 + (b or 0) * 7 + (c or 0)) % shares + 1
end

local function decoded(facts)
    return function()
        local value = json.decode(facts)
        if type(value) ~= "table" then
            return nil
        end
        return facts:find("-hex", 1, true) and logged.fields(value) or value
    end
end

-- Stages at which no rule decides.
local UNRULED = { serve = true, event = true, control = true }

-- What a line of the log tells -> facts as text, name, fields() | nil | nil, true: of a page, or an
-- event. As moonboot writes lines, the facts come last; others' are read as a whole.
local function read_line(line)
    local at = line:find(',"facts":{', 1, true)
    local name = line:match '"machine":"([^"\\]*)"'
    if UNRULED[line:match '"stage":"(%l+)"'] then
        return nil, true
    end
    if at and name and line:sub(-2) == "}}" then
        local facts = line:sub(at + 9, -2)
        return host.cli.hash(facts), name, decoded(facts)
    end
    local value = json.decode(line)
    if type(value) ~= "table" or type(value.facts) ~= "table" or value.cut then
        return nil
    end
    return json.encode(value.facts), tostring(value.machine or "a machine"), function()
        return logged.fields(value.facts)
    end
end

-- A decision log, read line by line.
function fleet.log(file)
    local is_there, problem = host.cli.each_line(file)
    if not is_there then
        return nil, ("%s: %s"):format(file, problem)
    end
    local alone = file == "-" or not (host.cli.find(file) or {})[1] -- a pipe can be read once
    local function each(share, shares, take, read)
        local skipped, n = 0, 0
        for line in alone and is_there or assert(host.cli.each_line(file)) do
            n = n + 1
            if n % READ_EVERY == 0 then
                read(n)
            end
            local facts, name, fields = read_line(line)
            if not facts then
                skipped = skipped + (line ~= "" and not name and share == 1 and 1 or 0)
            elseif shared_out(name, shares) == share then
                take(facts, name, fields)
            end
        end
        return skipped
    end
    return { each = each, alone = alone }
end

local function from_list(list)
    return { count = #list, each = function(share, shares, take)
        for i = share, #list, shares do
            take(list[i].key, list[i].name, function()
                return list[i].fields
            end)
        end
        return 0
    end }
end

-- Who asks in a capture: as the first policy's routes understand the requests.
function fleet.capture(file, policy, settings)
    local capture, problem = host.cli.capture(file, settings)
    if not capture then
        return nil, problem
    end
    local list, message = {}
    message, problem = capture:next()
    while message do
        local good, _, info = pcall(routes.handle, policy, message.request or {})
        local who = message.request and good and info and info.who
        if who then
            local fields = machine.facts(who)
            list[#list + 1] = { fields = fields, name = machine.name(who), key = #list + 1 }
        end
        message, problem = capture:next()
    end
    capture:close()
    if problem then
        return nil, ("%s: %s"):format(file, problem)
    end
    return from_list(list)
end

-- Machines of a file: an inventory or a list (cli/machine_list.lua).
function fleet.machines(file)
    local list, problem = machine_list.read(file)
    if not list then
        return nil, problem
    end
    return from_list(list)
end

return fleet

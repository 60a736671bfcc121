-- Machines from a file: an inventory (lua/README.md), or a list of machines by their fields.

local json = require "json"
local logged = require "cli.logged"
local machine = require "machine"
local path = require "path"
local problems = require "problems"

local host = host

local machine_list = {}

local NOT_FIELDS = { boot = true, args = true, vars = true }

-- A host as a machine: members that are fields; `strict` is for lists that have nothing else.
local function add(list, members, key, value, strict)
    local fields = {}
    for name, member in pairs(members) do
        if machine.field(name) then
            fields[name] = member ~= json.null and member or nil
        elseif strict and not NOT_FIELDS[name] then
            return machine.unknown_field(name)
        end
    end
    if key then
        fields[key] = value
    end
    local who, problem = machine.new(fields, fields.stage or "ipxe")
    if not who then
        return problem
    end
    list[#list + 1] = { fields = fields, name = machine.name(who), key = #list + 1 }
end

-- An inventory (lua/README.md), or a list of machines by their fields.
local function from_data(file, data)
    local list = {}
    if type(data) ~= "table" then
        return nil, file .. ": expected machines, a mapping or a list"
    end
    local hosts = type(data.hosts) == "table" and data.hosts or data
    local key = type(data.hosts) == "table" and data.key or "mac"
    if not machine.field(key) then
        return nil, file .. ": key: " .. machine.unknown_field(key)
    end
    local is_list = hosts[1] ~= nil
    for name, entry in pairs(hosts) do
        local members = type(entry) == "table" and entry or {}
        local problem = add(list, members, not is_list and key or nil, name, is_list)
        if problem then
            return nil, ("%s: %s: %s"):format(file, problems.show(tostring(name)), problem)
        end
    end
    table.sort(list, function(a, b)
        return a.name < b.name
    end)
    return list
end

-- Records of CSV (RFC 4180): an iterator of line number and list of cells.
local function records(text)
    local at, line = 1, 1
    return function()
        if at > #text then
            return nil
        end
        local cells, first = {}, line
        repeat
            local cell
            if text:sub(at, at) == '"' then
                local from = at + 1
                repeat
                    at = text:find('"', at + 1, true) or #text + 1
                    local double = text:sub(at + 1, at + 1) == '"'
                    at = at + (double and 1 or 0)
                until not double
                cell = text:sub(from, at - 1):gsub('""', '"')
                line = line + select(2, cell:gsub("\n", ""))
                at = at + 1
            else
                local to = text:find("[,\r\n]", at) or #text + 1
                cell, at = text:sub(at, to - 1), to
            end
            cells[#cells + 1] = cell
            local comma = text:sub(at, at) == ","
            at = at + (comma and 1 or 0)
        until not comma
        at = at + #text:match("^\r?\n?", at)
        line = line + 1
        return first, cells
    end
end

-- The columns that are fields of machines; all others are an inventory's.
local function from_csv(file, text)
    local list, header = {}, nil
    for line, cells in records(text) do
        if not header then
            header = cells
        elseif #cells > 1 or cells[1] ~= "" then
            local members = {}
            for i, name in ipairs(header) do
                members[name] = cells[i] ~= "" and cells[i] or nil
            end
            local problem = add(list, members)
            if problem then
                return nil, ("%s:%d: %s"):format(file, line, problem)
            end
        end
    end
    if not header or not machine.field(header[1]) then
        return nil, ("%s:1: the first column is no field of machines"):format(file)
    end
    return list
end

-- A machine a line, as JSON. Read line by line: such a list may be of any length.
local function from_lines(file, lines)
    local list, n = {}, 0
    for line in lines do
        n = n + 1
        local problem
        if line:find "%S" then
            local value
            value, problem = json.decode(line)
            if not problem and type(value) ~= "table" then
                problem = "expected an object of fields"
            end
            problem = problem or add(list, logged.fields(value.facts or value), nil, nil, not value.facts)
        end
        if problem then
            return nil, ("%s:%d: %s"):format(file, n, problem)
        end
    end
    return list
end

local LINES = { jsonl = true, ndjson = true }
local KNOWN = { csv = true, json = true, yaml = true, yml = true, jsonl = true, ndjson = true }

-- What a text is that has no suffix, as standard input and pipes have none.
local function suffix_of(text)
    local first = text:match "^%s*([^\r\n]*)"
    if first:find "^[%[{]" then
        local object = first:find "^{" and json.decode(first) or {}
        return (next(object) and text:find "\n%s*{" or object.facts or machine.field(next(object) or ""))
               and "jsonl" or "json"
    end
    local column = first:match '^"?([^,"]*)'
    return machine.field(column) and not first:find ":" and "csv" or "yaml"
end

-- The machines of a file ("-": standard input), by its suffix -> list of { fields =, name =, key = } | nil, problem.
function machine_list.read(file)
    local _, base = path.split(file)
    local suffix = base:match "%.(%w+)$"
    suffix = suffix and suffix:lower()
    if suffix and not KNOWN[suffix] then
        return nil, ("%s is neither .yaml, .json, .csv nor .jsonl"):format(file)
    end
    local lines, problem = host.cli.each_line(file)
    if not lines then
        return nil, ("%s: %s"):format(file, problem)
    elseif LINES[suffix] then
        return from_lines(file, lines)
    end
    local all = {}
    for line in lines do
        all[#all + 1] = line .. "\n"
    end
    local text = table.concat(all)
    suffix = suffix or suffix_of(text)
    if LINES[suffix] then
        return from_lines(file, text:gmatch "([^\n]*)\n")
    elseif suffix == "csv" then
        return from_csv(file, text)
    end
    local data
    if suffix == "json" then
        data, problem = json.decode(text)
    else
        data, problem = host.yaml(text)
    end
    if problem then
        return nil, ("%s:%s%s"):format(file, suffix == "json" and " " or "", problem)
    end
    return from_data(file, data)
end

return machine_list
